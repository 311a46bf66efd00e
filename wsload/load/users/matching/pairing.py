"""Pairs messages with the requests that they answer: pure bookkeeping for one connection, without clock or socket.

A request with a key is answered by the message with the same key. Requests without keys are answered in order: the
n-th answer belongs to the n-th request, among the messages that its ``match`` accepts. A match that rejects the
answers of other requests (because it closes over this request's number, say) proves the pairing. A match that accepts
them, or no match at all, proves nothing; then anything that contradicts the order is a doubt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

from wsload.load.users.matching.findings import Doubt, Found, Kind, Request
from wsload.load.users.matching.recent import Recent
from wsload.load.users.matching.rules import COMPARED, Match, Overlap, Rule, accepts, origin_of

_PUSH: Final = Found(Kind.PUSH)


class Pairing:
    """The requests of one connection, from its opening to its end."""

    __slots__ = ("_answered", "_lost", "_rules", "by_key",
                 "doubts", "error", "given_up", "in_order", "outstanding", "overlap", "reused",
                 "steps")  # fmt: skip

    def __init__(self) -> None:
        self.outstanding = 0
        """The number of requests that were neither answered nor given up."""
        self.by_key: dict[Hashable, Request] = {}
        """The outstanding requests with keys."""
        self.in_order: deque[Request] | None = None  # created when needed, since it takes 600 bytes
        """The outstanding requests without keys."""
        self.overlap: Overlap | None = None
        """Set if several of these have been outstanding at once since the queue was last empty."""
        self.given_up: deque[Request] | None = None
        """Requests without keys that were given up, but whose match would still accept their answer."""
        self.reused: set[Hashable] | None = None
        """The keys that were used again while another answer to their first use could still come."""
        self.doubts: list[tuple[Doubt, Iterable[str]]] = []
        """New doubts with the names of the requests concerned; the caller removes them."""
        self.error: BaseException | None = None
        """What a match raised last; the caller removes it."""
        self.steps: dict[str, set[str]] | None = None
        """By the names of requests, the names of the steps that they were part of; see `part_of`."""
        self._rules: dict[object, Rule] = {}
        self._answered = Recent()
        self._lost = Recent()

    def __iter__(self) -> Iterator[Request]:
        """The outstanding requests."""
        yield from list(self.by_key.values())
        yield from list(self.in_order or ())

    @property
    def by_turn(self) -> bool:
        """Whether answers on this connection may have gone to the wrong requests."""
        return bool(self.reused) or any(not rule.specific for rule in self._rules.values())

    # Sending

    def add(self, request: Request, key: Hashable) -> bool:
        """Adds a request that was sent with a key, of which none is in `by_key`; returns whether it was used before."""
        self.by_key[key] = request
        self.outstanding += 1
        if key in self._answered or key in self._lost:
            self._reuse(request, key)
            return True
        return False

    def _reuse(self, request: Request, key: Hashable) -> None:
        if self.reused is None:
            self.reused = set()
        self.reused.add(key)
        if key in self._lost:
            self.doubts.append((Doubt.KEY_REUSED, {request.figures.name, self._lost[key]}))

    def add_in_order(self, request: Request, match: Match | None) -> None:
        """Adds a request that was sent without a key."""
        origin = None if match is None else origin_of(match)
        rule = self._rules.get(origin)
        if rule is None:
            rule = self._rules[origin] = Rule(match, request.sent_ns)
        if match is not None:
            request.match = match
            rule.add(match)
            self._resolve(rule)
        request.rule = rule
        rule.last_ns = request.sent_ns
        if request.figures.name != rule.name:
            rule.name = request.figures.name
            rule.names.add(rule.name)
        if self.in_order is None:
            self.in_order = deque()
        elif self.in_order and self.overlap is None:
            self.overlap = Overlap()
        self.in_order.append(request)
        self.outstanding += 1

    def part_of(self, name: str, steps: Iterable[str]) -> None:
        """Notes the steps around a request of this name that has no key, or one that was used before."""
        if self.steps is None:
            self.steps = {}
        self.steps.setdefault(name, set()).update(steps)

    def concerned(self, names: Iterable[str]) -> Iterable[str]:
        """The names of requests in doubt, with those of the steps around such requests."""
        return names if self.steps is None else {*names, *self._around(names)}

    def _around(self, names: Iterable[str]) -> Iterator[str]:
        assert self.steps is not None
        for name in names:
            yield from self.steps.get(name, ())

    def _resolve(self, rule: Rule) -> None:
        """Raises the doubts about the rule that had to wait until it was known that its matches prove nothing."""
        if rule.specific is False:
            if rule.suspicious:
                rule.suspicious = False
                self._doubt([rule])
            if rule.unproved:
                rule.unproved = False
                self.doubts.append((Doubt.UNPROVED, rule.names))

    def _doubt(self, shifted: list[Rule]) -> None:
        """A surplus message shows that answers under these rules may have gone to the wrong requests.

        Those requests may in turn have been given the answers of further rules, and so on.
        """
        for rule in shifted:
            for other in self._rules.values():
                if other.suspicious or other in shifted or not rule.may_have_answers_of(other):
                    continue
                if other.specific is False:
                    shifted.append(other)
                else:
                    other.suspicious = True
        self.doubts.append((Doubt.UNASKED, set().union(*(rule.names for rule in shifted))))

    def give_up(self, request: Request, *, gone: bool = False) -> None:
        """Gives up a request; ``gone`` says that no answer can come because the connection is gone."""
        if request.key is not None:
            if self.by_key.pop(request.key, None) is not None:
                self.outstanding -= 1
                self._lost.add(request.key, request.figures.name)
            return
        if self.in_order is None or request not in self.in_order:
            return
        rule = request.rule
        assert rule is not None
        if rule.specific is False and not gone and self.overlap is not None and not self.overlap.proved:
            self.doubts.append((Doubt.UNANSWERED, rule.names))
        self._take_from_queue(request)
        if rule.specific and not gone:
            if self.given_up is None:
                self.given_up = deque(maxlen=COMPARED)
            self.given_up.append(request)

    def end(self) -> None:
        """The connection has ended; what is still ambiguous becomes a doubt."""
        for rule in self._rules.values():
            rule.specific = rule.specific or False
        for rule in self._rules.values():
            self._resolve(rule)

    # Receiving

    def answered(self, key: Hashable, at_ns: int) -> Request | None:
        """Removes and returns the outstanding request with this key, unless it was sent after ``at_ns``."""
        request = self.by_key.pop(key, None)
        if request is not None:
            if request.sent_ns > at_ns:
                self.by_key[key] = request
                return None
            self.outstanding -= 1
            self._answered.add(key, request.figures.name)
        return request

    def receive(self, message: Any, key: Hashable, at_ns: int) -> Found:
        """What a message is that arrived at ``at_ns``; ``key`` is what the user class's ``key_of`` returned.

        It may have waited to be read, so that requests were sent meanwhile: it answers none of those.
        """
        if key is not None:
            request = self.answered(key, at_ns)
            if request is not None:
                return Found(Kind.ANSWER, request)
            if key in self._lost:
                name = self._lost.pop(key)
                self._answered.add(key, name)
                return Found(Kind.LATE, name=name)
            if key in self._answered:
                name = self._answered[key]
                if self.reused and key in self.reused:
                    self.doubts.append((Doubt.KEY_REUSED, {name}))
                return Found(Kind.DUPLICATE, name=name)
        request = self._first_to_accept(message, at_ns)
        if self.given_up and (late := self._late(message, at_ns)) is not None:
            late.mixed_up = request is not None
            return late
        if request is None:
            return self._unasked(message, at_ns)
        return self._answered_in_order(request, message, at_ns)

    def _first_to_accept(self, message: Any, at_ns: int) -> Request | None:
        for request in self.in_order or ():
            if request.sent_ns > at_ns:
                break
            try:
                if request.match is None or request.match(message):
                    return request
            except BaseException as error:
                self.error = error
        return None

    def _late(self, message: Any, at_ns: int) -> Found | None:
        """The message as the answer to a request that was given up, if its match accepts it."""
        assert self.given_up is not None
        for request in self.given_up:
            if request.sent_ns <= at_ns and request.match is not None and accepts(request.match, message):
                self.given_up.remove(request)
                return Found(Kind.LATE, name=request.figures.name)
        return None

    def _answered_in_order(self, request: Request, message: Any, at_ns: int) -> Found:
        rule = request.rule
        assert rule is not None and self.in_order is not None
        overlap = self.overlap
        self._take_from_queue(request)
        if at_ns > rule.last_ns:
            rule.last_ns = at_ns
        if request.match is not None:
            rule.keep(message)
            if rule.specific is not False and self.in_order:
                matches = [other.match for other in islice(self.in_order, COMPARED) if other.rule is rule]
                if matches:
                    rule.learn(any(match is not None and accepts(match, message) for match in matches))
                    self._resolve(rule)
        if overlap is not None and not rule.specific:
            others = [other.words for other in islice(self.in_order, COMPARED)]
            contradicted = overlap.contradicts(message, request.words, others)
            if rule.specific is False:
                if contradicted:
                    self.doubts.append((Doubt.QUOTES_ANOTHER, rule.names))
                return Found(Kind.ANSWER, request, overlapped=not overlap.proved)
            rule.unproved |= not overlap.proved
        return Found(Kind.ANSWER, request)

    def _unasked(self, message: Any, at_ns: int) -> Found:
        """A message that no outstanding request accepts: a push, unless it shows that answers were mispaired."""
        found, shifted = _PUSH, []
        for rule in self._rules.values():
            if rule.since_ns > at_ns or not rule.fits(message):
                continue
            if rule.specific is False:
                shifted.append(rule)
                continue
            rule.suspicious = True
            if message in rule.answers:
                found = Found(Kind.DUPLICATE, name=rule.name)
        if shifted:
            self._doubt(shifted)
        return found

    def _take_from_queue(self, request: Request) -> None:
        queue = self.in_order
        assert queue is not None
        queue.remove(request)
        self.outstanding -= 1
        if not queue:
            self.overlap = None
