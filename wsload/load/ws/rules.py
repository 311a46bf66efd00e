"""The rules that a server can break: those of RFC 6455, and wsload's limits on a connection."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

MAX_FRAGMENTS: Final = 4_096
"""A message may have this many fragments, plus one for every `MIN_FRAGMENT` bytes."""
MIN_FRAGMENT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A rule: the kind of failure if a server breaks it, and the close code that wsload answers with."""

    kind: str
    code: int
    says: str
    """The rule in a few words, with its source."""


class Rule(Enum):
    """All rules; each value's ``kind`` is a row of the failures' table."""

    MASK = Broken(kind="masked frame", code=1002, says="a server must not mask (RFC 6455 section 5.1)")
    RESERVED_BITS = Broken(kind="reserved bits", code=1002, says="no extension uses them (section 5.2)")
    OPCODE = Broken(kind="reserved opcode", code=1002, says="no such frame type (section 5.2)")
    CONTROL_FRAGMENTED = Broken(
        kind="fragmented control frame", code=1002, says="control frames must not be fragmented (section 5.5)"
    )
    CONTROL_LONG = Broken(
        kind="long control frame", code=1002, says="control frames have at most 125 bytes (section 5.5)"
    )
    CONTINUATION = Broken(
        kind="unexpected continuation", code=1002, says="there is no message to continue (section 5.4)"
    )
    UNFINISHED = Broken(
        kind="unfinished message", code=1002, says="another message began between its fragments (section 5.4)"
    )
    CLOSE_SHORT = Broken(kind="bad close frame", code=1002, says="a close code has two bytes (section 5.5.1)")
    CLOSE_CODE = Broken(kind="bad close code", code=1002, says="not allowed in a close frame (section 7.4)")
    UTF8 = Broken(kind="invalid UTF-8", code=1007, says="text must be UTF-8 (section 8.1)")
    TOO_BIG = Broken(kind="message too big", code=1009, says="longer than --ws-max-message")
    FRAGMENTS = Broken(
        kind="too many fragments",
        code=1009,
        says=f"more than {MAX_FRAGMENTS} fragments, plus one for every {MIN_FRAGMENT} bytes",
    )
    DEFLATE = Broken(kind="bad compression", code=1002, says="it can't be inflated (RFC 7692 section 6)")
    BOMB = Broken(kind="compression bomb", code=1009, says="a small payload inflates to too much data")
    FLOOD = Broken(kind="control frame flood", code=1008, says="too many control frames or empty fragments")
    PING = Broken(kind="ping timeout", code=1011, says="no pong within --ws-ping-timeout")


class Violation(Exception):  # the server's, not an error of ours
    """The server broke a rule, so the connection must be failed with the rule's code (section 7.1.7)."""

    def __init__(self, rule: Rule, found: str = "") -> None:
        broken: Broken = rule.value
        self.kind = broken.kind
        self.code = broken.code
        self.detail = f"{found}: {broken.says}" if found else broken.says
        """In one line: what was found, and the rule."""
        super().__init__(f"{self.kind}: {self.detail}")
