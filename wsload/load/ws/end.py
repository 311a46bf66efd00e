"""Who is told what a connection receives; and how one ended, as one value."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Literal, Protocol

from wsload.load.ws.rules import Violation


class Sink(Protocol):
    """Who is told what arrives, at once and in order, on the loop's thread."""

    def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
        """One whole message; ``at_ns`` (monotonic) is when its last byte reached this process."""

    def receive_close(self, code: int, reason: str) -> None:
        """The connection is gone: the close code received (1006 for none) and its reason; see `end`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a connection ended."""

    code: int
    """What a browser's ``CloseEvent`` says: the code received, 1005 for none, 1006 without a frame."""
    reason: str
    """The reason in the server's close frame."""
    who: Literal["server", "client", "nobody"]
    """Who ended it first; ``nobody`` where the network did."""
    kind: str
    """The kind of failure that this is if nobody wanted it: ``closed 1001``, ``reset``, ``masked frame``."""
    detail: str
    """In one line: which rule was broken, what was sent and received."""
    sent: int | None = None
    """The code of the close frame that wsload sent, if it did."""
    counted: int
    """The code under which the run counts this end: of a failure the one that wsload sent, such as 1002."""


@dataclass(slots=True, kw_only=True)
class Ending:
    """What a connection notes while it ends, to tell `end` from it."""

    sent: int | None = None
    received: tuple[int, str] | None = None
    server_first: bool = False
    """Whether the server's close frame came before this side's was sent."""
    violation: Violation | None = None
    """The rule that was broken, for which this side failed the connection."""
    dropped: str = ""
    """Why this side dropped the TCP connection, if it did: ``aborted``, ``close timeout``."""
    eof: bool = False
    """Whether the server ended the TCP connection in order (FIN)."""
    amid_frame: bool = False
    """Whether the stream ended amid a frame."""
    error: Exception | None = None
    """What the transport was lost with."""

    def end(self) -> End:
        """How the connection ended, once it is gone."""
        code, reason = self.received or (1006, "")
        if self.violation is not None:
            detail = f"wsload closed with {self.violation.code}: {self.violation.detail}"
            return self._end(1006, "", "client", self.violation.kind, detail)
        if self.received is not None:
            who: Literal["server", "client"] = "server" if self.server_first else "client"
            detail = f"the {who} closed with {code if code != 1005 else 'no code'}"
            return self._end(
                code, reason, who, closed_kind(code), f"{detail}: {reason}" if reason else detail
            )
        asked = "" if self.sent is None else f", {self.sent} was sent and not answered"
        if self.dropped:
            return self._end(code, "", "client", self.dropped, f"wsload dropped the TCP connection{asked}")
        where = " amid a frame" if self.amid_frame else ""
        if self.error is None:
            kind = "cut off" if self.amid_frame else closed_kind(code)
            return self._end(code, "", "server", kind, f"FIN{where} without a close frame{asked}")
        number = getattr(self.error, "errno", None)
        reset = isinstance(self.error, ConnectionError) or number in (errno.ECONNRESET, errno.EPIPE)
        says = "RST" if reset else getattr(self.error, "strerror", None) or type(self.error).__name__
        return self._end(
            code,
            "",
            "server" if reset else "nobody",
            "reset" if reset else "connection lost",
            f"{says}{where}{asked}",
        )

    def _end(
        self, code: int, reason: str, who: Literal["server", "client", "nobody"], kind: str, detail: str
    ) -> End:
        counted = code if self.violation is None or self.sent is None else self.sent
        return End(
            code=code, reason=reason, who=who, kind=kind, detail=detail, sent=self.sent, counted=counted
        )


def closed_kind(code: int) -> str:
    """The kind of failure that an unwanted close is: ``closed 1006``."""
    return f"closed {code}"
