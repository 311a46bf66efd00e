"""The receiver of a connection's messages, and the value that says how a connection ended."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Literal, Protocol

from wsload.load.ws.rules import Violation


class Sink(Protocol):
    """Receives what arrives, at once and in order, on the loop's thread."""

    def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
        """A whole message, whose last byte reached this process at ``at_ns`` (monotonic)."""

    def receive_close(self, code: int, reason: str) -> None:
        """The connection is gone: the close code received (1006 for none) and its reason. See `End`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a connection ended."""

    code: int
    """As in a browser's ``CloseEvent``: the code received, 1005 for none, 1006 without a close frame."""
    reason: str
    """The reason in the server's close frame."""
    who: Literal["server", "client", "nobody"]
    """Who ended it first; ``nobody`` if it was the network."""
    kind: str
    """The kind of failure if the end was unwanted: ``closed 1001``, ``reset``, ``masked frame``."""
    detail: str
    """In one line: which rule was broken, what was sent and received."""
    counted: int
    """The code under which the run counts this end. If wsload failed the connection, it is the one it sent (1002)."""


@dataclass(slots=True, kw_only=True)
class Ending:
    """What a connection notes while it ends; `end` derives the `End`."""

    sent: int | None = None
    received: tuple[int, str] | None = None
    server_first: bool = False
    """Whether the server's close frame came before this side's was sent."""
    violation: Violation | None = None
    """The rule that the server broke, for which this side failed the connection."""
    dropped: str = ""
    """Why this side dropped the TCP connection, if it did: ``aborted``, ``close timeout``."""
    amid_frame: bool = False
    """Whether the stream ended in the middle of a frame."""
    error: Exception | None = None
    """The error with which the transport was lost."""

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
        asked = "" if self.sent is None else f", close code {self.sent} was sent and not answered"
        if self.dropped:
            return self._end(code, "", "client", self.dropped, f"wsload dropped the TCP connection{asked}")
        where = " in the middle of a frame" if self.amid_frame else ""
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
        return End(code=code, reason=reason, who=who, kind=kind, detail=detail, counted=counted)


def closed_kind(code: int) -> str:
    """The kind of failure of an unwanted close: ``closed 1006``."""
    return f"closed {code}"
