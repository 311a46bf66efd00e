"""Names for what goes wrong: one short kind per cause, the same in every table, log and check."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    NegotiationError,
    ProxyError,
    SecurityError,
)
from websockets.frames import CloseCode

_ERRNO_KINDS = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files",
    errno.EADDRNOTAVAIL: "no free port",
    errno.ENOENT: "no socket",
}

_OWN_CODES: dict[int, str] = {
    CloseCode.PROTOCOL_ERROR: "protocol error",
    CloseCode.INVALID_DATA: "invalid UTF-8",
    CloseCode.MESSAGE_TOO_BIG: "message too big",
    CloseCode.INTERNAL_ERROR: "ping timeout",
}


def failure_kind(error: BaseException) -> tuple[str, str]:
    """The kind of a failure to open, and its detail in one line (never with a header in it)."""
    if isinstance(error, TimeoutError | asyncio.TimeoutError) and not getattr(error, "errno", None):
        return "timeout", "the opening took longer than --ws-open-timeout"
    if isinstance(error, InvalidStatus):
        return f"bad status {error.response.status_code}", "the server answered the upgrade with that status"
    if isinstance(error, ProxyError):
        return "proxy", str(error)
    if isinstance(error, SecurityError):
        return "redirect", str(error)
    if isinstance(error, NegotiationError):
        kind = "subprotocol" if "subprotocol" in str(error) else "extension"
        return kind, str(error)
    if isinstance(error, InvalidMessage):
        return "bad handshake", str(error.__cause__ or error)
    if isinstance(error, InvalidHandshake):
        return "bad handshake", str(error)
    if isinstance(error, ConnectionClosed):
        return closed_kind(error.rcvd.code if error.rcvd else 1006), str(error)
    if isinstance(error, socket.gaierror):
        return "dns", error.strerror or str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return "tls", error.verify_message
    if isinstance(error, ssl.SSLError):
        return "tls", getattr(error, "reason", None) or str(error)
    if isinstance(error, OSError):
        fallback = "reset" if isinstance(error, ConnectionError) else "os error"
        return _ERRNO_KINDS.get(error.errno or 0, fallback), error.strerror or str(error)
    if isinstance(error, EOFError):
        return "reset", "the server hung up during the handshake"
    return type(error).__name__, str(error)


def closed_kind(code: int) -> str:
    """The kind of failure that an unwanted close is: ``closed 1006``."""
    return f"closed {code}"


def failed_kind(code: int) -> str:
    """The kind of failure for which this side closed with a code, the other having broken a rule."""
    return _OWN_CODES.get(code, closed_kind(code))
