"""How much of each measured time is the load generator's own delay, computed from its heartbeat.

The event loop is due to beat every ``beat_ns``. A beat within ``slack_ns`` of its due time shows that the loop polled
its sockets in time. While a beat is overdue the loop reads nothing, so whatever it reads late follows an overdue beat.
That bounds how much the load generator may have delayed each answer, whatever the cause (a blocking task, a burst of
work, another process on the core, a stopped process):

- *Read late.* At time ``t`` the beat due at ``d < t`` is outstanding. A message read now had not arrived when the loop
  last polled, which was after the previous beat, due at ``d − beat_ns``. So it is late by less than
  ``t − d + beat_ns``. When the delay began within the beat's interval is unknown: half a beat is assumed, but no more
  than the beat is overdue, since most delays are short.
- *Sent late.* Between a task's start and its send, the loop was held up for as long as the overdue beats in between
  show. (Writes reach the kernel at once, unless the server does not read.)
- *Written late.* Between taking a send's timestamp and the write, the process may be stopped or lose the core, and no
  beat can tell which send that delayed. So the clock is read again after each write (`Lateness.wrote`).

An overdue beat does not mean that the loop has caught up at the moment it comes: handling the events that the loop
read before it in the same iteration may have taken time, in which more arrived. The loop polled its sockets when it
came to the first of these events (`Lateness.look`).

The correction can be up to half a beat too small for one message. Over many messages this evens out, since beats and
messages are independent. One case goes unnoticed: the process loses the core for less than a beat, either between
polling and the first event, or during a write.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final

BEAT_NS: Final = 1_000_000
SLACK_NS: Final = 100_000
"""A beat, send or read that is later than this counts as late."""
NEVER_NS: Final = 1 << 62
MOST: Final = 4_096
"""How many late spells are remembered."""


class Lateness:
    """The late spells of one event loop. All times are monotonic, in ns."""

    __slots__ = ("_ends", "_forgotten_ns", "_looked_ns", "_starts", "_sums", "_writes", "beat_ns", "due_ns",
                 "slack_ns", "until_ns")  # fmt: skip

    def __init__(self, beat_ns: int = BEAT_NS, slack_ns: int = SLACK_NS) -> None:
        self.beat_ns = beat_ns
        self.slack_ns = slack_ns
        self.due_ns = NEVER_NS
        """When the next or overdue beat is due; anything read after that may be late."""
        self.until_ns = 0
        """When the last late spell ended."""
        # Arrays, since lists of so many numbers take a megabyte.
        self._starts = array("q")
        self._ends = array("q")
        self._sums = array("q")
        """The loop's total lateness up to each end."""
        self._forgotten_ns = 0
        """Spells before this time are forgotten."""
        self._looked_ns = 0
        """When the loop handled its first event since the beat became overdue; 0 if it has not yet."""
        self._writes: dict[int, int] = {}
        """How long each delayed write took, by its send's timestamp."""

    def start(self, due_ns: int) -> None:
        self.due_ns = due_ns

    def stop(self) -> None:
        """No further beat is due."""
        self.due_ns = NEVER_NS

    def beat(self, now_ns: int) -> int:
        """A beat came within the slack; returns how late it was."""
        lag_ns = now_ns - self.due_ns
        self.due_ns += self.beat_ns
        self._looked_ns = 0
        return lag_ns

    def look(self, now_ns: int) -> None:
        """Notes an event handled while a beat is overdue: the first one shows that the loop has just polled."""
        if not self._looked_ns:
            self._looked_ns = now_ns

    def catch_up(self, now_ns: int) -> range:
        """Ends a late spell, after the loop iteration in which the overdue beat came, at ``now_ns``.

        Returns the lateness of each beat that was due by the time the loop polled in that iteration.
        """
        due_ns, beat_ns = self.due_ns, self.beat_ns
        # Messages between `backdate` and `restore` are read at any time, even before the beat is due.
        now_ns, self._looked_ns = min(now_ns, max(self._looked_ns or now_ns, due_ns)), 0
        start_ns = max(due_ns - beat_ns // 2, self.until_ns)
        self._starts.append(start_ns)
        self._ends.append(now_ns)
        self._sums.append((self._sums[-1] if self._sums else 0) + now_ns - start_ns)
        self.until_ns = now_ns
        if len(self._ends) > 2 * MOST:
            self._forgotten_ns = self._ends[MOST - 1]
            for kept in (self._starts, self._ends, self._sums):
                del kept[:MOST]
        self.due_ns = due_ns + ((now_ns - due_ns) // beat_ns + 1) * beat_ns
        return range(now_ns - due_ns, -1, -beat_ns)

    def reading(self, at_ns: int) -> int:
        """The estimated delay of something read at this time."""
        overdue_ns = at_ns - self.due_ns
        return overdue_ns + min(overdue_ns, self.beat_ns // 2) if overdue_ns > self.slack_ns else 0

    def wrote(self, sent_ns: int, now_ns: int) -> None:
        """Notes a send, timestamped ``sent_ns``, whose write took longer than a beat."""
        if len(self._writes) == MOST:
            del self._writes[next(iter(self._writes))]
        self._writes[sent_ns] = now_ns - sent_ns

    def writing(self, sent_ns: int) -> int:
        """How long after its timestamp the send was written; 0 if its write was not delayed."""
        return self._writes.get(sent_ns, 0)

    def backdate(self, since_ns: int) -> int:
        """Treats what is read from now on as readable since then; returns the argument for `restore`."""
        due_ns = self.due_ns
        self.due_ns = min(due_ns, since_ns)
        return due_ns

    def restore(self, due_ns: int) -> None:
        """Undoes `backdate`; no beat comes in between."""
        self.due_ns = due_ns

    def within(self, from_ns: int, to_ns: int) -> int:
        """How long the loop was held up between two times; ``to_ns`` is not in the future."""
        if from_ns >= to_ns:
            return 0
        late_ns = self._until(to_ns) - self._until(from_ns) if self.until_ns > from_ns else 0
        if to_ns - self.due_ns > self.slack_ns:
            late_ns += to_ns - max(self.due_ns - self.beat_ns // 2, self.until_ns, from_ns)
        if from_ns < self._forgotten_ns:
            late_ns += min(self._forgotten_ns, to_ns) - from_ns
        return late_ns

    def _until(self, at_ns: int) -> int:
        """The loop's total lateness up to this time, as far as is remembered."""
        place = bisect_right(self._starts, at_ns) - 1
        if place < 0:
            return self._sums[0] - (self._ends[0] - self._starts[0])
        return self._sums[place] - max(self._ends[place] - at_ns, 0)
