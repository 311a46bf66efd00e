"""How late the load generator itself was, for each measured time: arithmetic on what its heartbeat saw.

The event loop owes a beat every ``beat_ns``. A beat that comes within ``slack_ns`` shows a loop that looked at its
sockets in time. While one is overdue, nothing is read: whatever the loop reads late, it reads after an overdue beat.
So each answer can be told by how much the load generator itself may have delayed it, whatever the reason was (a task
that blocks, a burst of work, another process on the core, a stopped process):

- *Read late.* At time ``t`` the beat due at ``d < t`` is outstanding. What is read now was not there when the loop
  looked for the last time, which was after the beat before, due at ``d − beat_ns``: it arrived later than that, and is
  late by less than ``t − d + beat_ns``. When in the beat's interval the delay began is not known: half is reckoned, and
  as much as is overdue at most, since most delays are short.
- *Sent late.* Between the moment a task began and its sending, the loop was held up for as long as overdue beats in
  that stretch say. (Writes reach the kernel at once, unless the server does not read.)
- *Written late.* Between the moment that dates a sending and the write, the process may be stopped or lose the core,
  and no beat can tell which sending that was. So the clock is read again after each write (`Lateness.wrote`).

When an overdue beat comes, the loop has caught up, but not as of that moment: the events that it read before the beat
in the same turn may have taken their time, in which more arrived. It had looked at its sockets when it came to the
first of them (`Lateness.look`).

What is subtracted can be too little by half a beat for one message; over many it evens out, since beats don't know of
messages. Not seen is a process that loses the core, for less than a beat, just between the system's answer and the
first event, or in a write.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

BEAT_NS: Final = 1_000_000
SLACK_NS: Final = 100_000
"""A beat, a send or a reading later than this is late."""
NEVER_NS: Final = 1 << 62
MOST: Final = 4_096
"""Late spells that are remembered."""


class Lateness:
    """The late spells of one event loop. All times are monotonic, in ns."""

    __slots__ = ("_ends", "_forgotten_ns", "_looked_ns", "_starts", "_sums", "_writes", "beat_ns", "due_ns",
                 "slack_ns", "until_ns")  # fmt: skip

    def __init__(self, beat_ns: int = BEAT_NS, slack_ns: int = SLACK_NS) -> None:
        self.beat_ns = beat_ns
        self.slack_ns = slack_ns
        self.due_ns = NEVER_NS
        """When the next beat is due, or was: what is read after it may be late."""
        self.until_ns = 0
        """When the last late spell ended."""
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._sums: list[int] = []
        """How long the loop was late up to each end."""
        self._forgotten_ns = 0
        """Up to here spells were forgotten."""
        self._looked_ns = 0
        """When the loop first came to an event since a beat is overdue; 0 if it did not yet."""
        self._writes: dict[int, int] = {}
        """How long each write took that was held up, by when it was dated."""

    def start(self, due_ns: int) -> None:
        """The first beat is due then."""
        self.due_ns = due_ns

    def stop(self) -> None:
        """No beat is due any more."""
        self.due_ns = NEVER_NS

    def beat(self, now_ns: int) -> int:
        """The beat that was due has come in time; returns by how much it was late."""
        lag_ns = now_ns - self.due_ns
        self.due_ns += self.beat_ns
        self._looked_ns = 0
        return lag_ns

    def look(self, now_ns: int) -> None:
        """An event is read while a beat is overdue: if it is the first, the loop has just looked at its sockets."""
        if not self._looked_ns:
            self._looked_ns = now_ns

    def catch_up(self, now_ns: int) -> range:
        """The turn of the loop is over in which the overdue beat came, at ``now_ns``.

        Returns the lateness of each beat that was due by the time the loop looked at its sockets in that turn.
        """
        due_ns, beat_ns = self.due_ns, self.beat_ns
        # What `held_since` lets through is read at any time, also before the beat is due.
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
        """How late something is that is read at this time."""
        overdue_ns = at_ns - self.due_ns
        return overdue_ns + min(overdue_ns, self.beat_ns // 2) if overdue_ns > self.slack_ns else 0

    def wrote(self, dated_ns: int, now_ns: int) -> None:
        """What was dated then has only now been written: to be told of each write that took longer than a beat."""
        if len(self._writes) == MOST:
            del self._writes[next(iter(self._writes))]
        self._writes[dated_ns] = now_ns - dated_ns

    def writing(self, dated_ns: int) -> int:
        """How much later than it was dated something was written."""
        return self._writes.get(dated_ns, 0)

    def held_since(self, since_ns: int) -> int:
        """What is read from now on could have been read since then; returns what to `put_back` after it."""
        due_ns = self.due_ns
        self.due_ns = min(due_ns, since_ns)
        return due_ns

    def put_back(self, due_ns: int) -> None:
        """The end of what `held_since` began; no beat comes in between."""
        self.due_ns = due_ns

    def within(self, from_ns: int, to_ns: int) -> int:
        """For how long the loop was held up between two times, the second of them not in the future."""
        if from_ns >= to_ns:
            return 0
        late_ns = self._until(to_ns) - self._until(from_ns) if self.until_ns > from_ns else 0
        if to_ns - self.due_ns > self.slack_ns:
            late_ns += to_ns - max(self.due_ns - self.beat_ns // 2, self.until_ns, from_ns)
        if from_ns < self._forgotten_ns:
            late_ns += min(self._forgotten_ns, to_ns) - from_ns
        return late_ns

    def _until(self, at_ns: int) -> int:
        """How long the loop was late up to this time, as far as is remembered."""
        place = bisect_right(self._starts, at_ns) - 1
        if place < 0:
            return self._sums[0] - (self._ends[0] - self._starts[0])
        return self._sums[place] - max(self._ends[place] - at_ns, 0)
