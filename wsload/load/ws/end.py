"""Who is told what a connection receives, and how one ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from websockets.client import ClientProtocol
from websockets.frames import CloseCode

from wsload.load.ws.failures import closed_kind, failed_kind


class Sink(Protocol):
    """Who is told what arrives, at once and in order, on the loop's thread."""

    def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
        """One whole message; ``at_ns`` (monotonic) is when its last byte reached this process."""

    def receive_close(self, code: int, reason: str) -> None:
        """The connection is gone: the close code received (1006 for none) and its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a connection ended."""

    code: int
    """What a browser's ``CloseEvent`` says: the code received, 1005 for none, 1006 without a frame."""
    reason: str
    """The close frame's reason."""
    who: Literal["server", "client", "nobody"]
    """Who ended it; ``nobody`` where the network did."""
    kind: str
    """The kind of failure that this is if nobody wanted it, such as ``closed 1006``."""
    detail: str
    """In one line: which rule was broken, by whom, and what was sent."""


def end_of(protocol: ClientProtocol) -> End:
    """How the library's protocol ended."""
    sent, received = protocol.close_sent, protocol.close_rcvd
    who: Literal["server", "client", "nobody"] = "nobody"
    detail = str(protocol.parser_exc or "no close frame")
    if received is not None:
        who, detail = "server" if protocol.close_rcvd_then_sent else "client", f"close frame {received}"
    elif sent is not None:
        who, detail = "client", f"closed with {sent}, unanswered"
    code = int(protocol.close_code or CloseCode.ABNORMAL_CLOSURE)
    # Where this side failed it, a browser reports 1006 (RFC 6455 section 7.1.5); the kind says why.
    kind = failed_kind(sent.code) if sent is not None and received is None else closed_kind(code)
    return End(code=code, reason=protocol.close_reason or "", who=who, kind=kind, detail=detail)
