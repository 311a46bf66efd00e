"""A session against a server that drops, duplicates, reorders and delays: every post has one end."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sessions import joined_session, log_in, odd_messages, post

from wsload.protocols.chat.conversation.session import Echo, Late, Post, Repeated


class Talk(RuleBasedStateMachine):
    """The model is `ends`: what became of each post by number; one without an end is pending."""

    @initialize()
    def open(self) -> None:
        self.session = joined_session()
        self.sent: list[tuple[Post, bytes]] = []
        self.ends: dict[int, str] = {}
        self.late: set[int] = set()
        self.highest = -1

    @rule(text=st.text(max_size=10))
    def say(self, text: str) -> None:
        self.sent.append(post(self.session, text))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def echo(self, data: st.DataObject) -> None:
        """Any post ever sent comes back: in time, a second time, out of order, or late."""
        made, echo = data.draw(st.sampled_from(self.sent))
        event = self.session.receive(echo)
        match self.ends.get(made.number):
            case None:
                assert isinstance(event, Echo) and event.post is made
                assert event.in_order == (made.number > self.highest)
                self.highest = max(self.highest, made.number)
                self.ends[made.number] = "echoed"
            case "lost" if made.number not in self.late:
                assert isinstance(event, Late)
                self.late.add(made.number)
            case _:
                assert isinstance(event, Repeated)

    @precondition(lambda self: self.session.pending)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        made = data.draw(st.sampled_from(list(self.session.pending.values())))
        self.session.give_up(made)
        self.ends[made.number] = "lost"

    @rule()
    def reconnect(self) -> None:
        for made in list(self.session.pending.values()):
            self.session.give_up(made)
            self.ends[made.number] = "lost"
        self.session.reopened()
        log_in(self.session, 8)

    @rule(noise=odd_messages | st.binary())
    def hear_something_else(self, noise: bytes) -> None:
        assert not isinstance(self.session.receive(noise), Echo | Late | Repeated)

    @invariant()
    def every_post_is_pending_or_has_ended_once(self) -> None:
        pending = set(self.session.pending)
        assert pending | self.ends.keys() == {made.number for made, _ in self.sent}
        assert not pending & self.ends.keys()
        assert list(self.session.pending) == sorted(pending)


TestTalk = Talk.TestCase
TestTalk.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
