"""Names the failures of an opening: one short kind per cause, used everywhere."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from websockets.exceptions import InvalidHandshake, NegotiationError, ProxyError

from wsload.load.ws.dialing import NotLocal
from wsload.load.ws.handshake import HungUp, Refused, SpeaksTls
from wsload.load.ws.redirects import BadRedirect
from wsload.measure.names import NO_FILES, NO_PORT, TIMEOUT

_ERRNO_KINDS: Final = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: TIMEOUT,
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EMFILE: NO_FILES,
    errno.ENFILE: NO_FILES,
    errno.EADDRNOTAVAIL: NO_PORT,
    errno.ENOENT: "no socket",
}
_PLAIN_PORT: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
)
"""OpenSSL's reasons for an answer that is not TLS."""
_STRICT: Final = ("key usage", "Basic Constraints", "Key Identifier", "not marked critical")
"""Parts of OpenSSL's messages about certificates that only strict verification refuses."""

Named = tuple[str, str]
"""The kind of a failure, and its detail."""


def failure_kind(error: BaseException) -> Named:
    """The kind of a failure to open, and its detail in one line, which never holds a secret."""
    for classes, named in _NAMED:
        if isinstance(error, classes):
            kind, detail = named(error)
            return kind, " ".join(detail.split())
    return type(error).__name__, " ".join(str(error).split())


def _timeout(error: Any) -> Named:
    if getattr(error, "errno", None):
        return _os_error(error)
    return TIMEOUT, "the opening took longer than --ws-open-timeout"


def _refused(error: Refused) -> Named:
    told = [f"{error.status} {error.phrase}".strip()]
    if "retry-after" in error.headers:
        told.append(f"Retry-After: {_printable(error.headers['retry-after'])[:40]}")
    if error.first_line:
        told.append(f"body: {error.first_line}")
    if error.status == 400 and "https" in error.first_line.lower():
        return "a TLS port", "the server speaks TLS there: use wss://"
    return f"bad status {error.status}", "; ".join(told)


def _negotiation(error: Exception) -> Named:
    return "subprotocol" if "subprotocol" in str(error) else "extension", _printable(str(error))


def _handshake(error: Exception) -> Named:
    return "bad handshake", _printable(str(error.__cause__ or error))


def _certificate(error: ssl.SSLCertVerificationError) -> Named:
    says = error.verify_message
    if any(sign.lower() in says.lower() for sign in _STRICT):
        says += "; Python 3.13 and later verify strictly, unless --ws-ca-file is given"
    return "tls", says


def _tls(error: ssl.SSLError) -> Named:
    reason = getattr(error, "reason", None) or str(error)
    if reason in _PLAIN_PORT:
        return "not a TLS port", f"the server does not speak TLS there: use ws:// ({reason})"
    return "tls", reason


def _os_error(error: OSError) -> Named:
    fallback = "reset" if isinstance(error, ConnectionError) else "os error"
    return _ERRNO_KINDS.get(error.errno or 0, fallback), error.strerror or str(error)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:200]


_NAMED: Final[tuple[tuple[Any, Callable[[Any], Named]], ...]] = (
    ((TimeoutError, asyncio.TimeoutError), _timeout),
    (Refused, _refused),
    (SpeaksTls, lambda _: ("a TLS port", "the server speaks TLS there: use wss://")),
    (HungUp, lambda error: ("hung up", f"the server closed the connection {error}")),
    (BadRedirect, lambda error: ("redirect", str(error))),
    (NotLocal, lambda error: ("source address", error.strerror)),
    (ProxyError, lambda error: ("proxy", _printable(str(error)))),
    (NegotiationError, _negotiation),
    (InvalidHandshake, _handshake),
    (socket.gaierror, lambda error: ("dns", error.strerror or str(error))),
    (ssl.SSLCertVerificationError, _certificate),
    (ssl.SSLError, _tls),
    (OSError, _os_error),
    (EOFError, lambda _: ("hung up", "the server closed the connection during the handshake")),
)
"""Subclasses come before their base classes."""
