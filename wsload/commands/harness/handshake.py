"""Whether a server is ready: one WebSocket opening handshake.

A port that accepts connections is not enough: a proxy or an init process may hold it while the server is starting.
The load may open another URL, or offer other subprotocols, than is known here, since user classes set both. A server
that refuses such a handshake is up nevertheless, see `settled_s`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import os
import ssl
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from wsload.errors import WsloadError
from wsload.redact import public_subprotocol

_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 section 1.3."""
_GUARDED: Final = (401, 403)
"""The server is up, and wants credentials, which are left to the load."""
SETTLED_S: Final = 1.0
"""A server may answer 404, say, until it has set up its routes. If it still does after this time, it is ready."""


class NoHandshake(WsloadError):
    """The server did not answer as a WebSocket server; the message says what it did instead."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        """Of the HTTP response that refused the handshake; 0 if there was no response, or another fault in it."""


def settled_s(status: int, *, url_known: bool, subprotocols_known: bool) -> float | None:
    """How long a server must keep refusing with this status to count as ready; None if it never does.

    What is not known may be the reason: the URL for any status below 500, the subprotocols for 400 (Bad Request).
    From 500 on, a proxy may be answering for a server that is still starting.
    """
    if status == http.HTTPStatus.BAD_REQUEST and not (url_known and subprotocols_known):
        return 0.0
    return SETTLED_S if 0 < status < 500 and not url_known else None


def verifying(ca_file: str, *, insecure: bool) -> ssl.SSLContext:
    """The TLS that the load will use, without its client certificate; what can't be used is left to the load."""
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_file:
        with contextlib.suppress(OSError):
            context = ssl.create_default_context(cafile=ca_file)  # instead of the system's, as the load does
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def check_handshake(
    url: str,
    *,
    subprotocols: Sequence[str] = (),
    origin: str = "",
    tls: ssl.SSLContext | None = None,
    timeout_s: float,
) -> None:
    """Opens a WebSocket (RFC 6455 section 4.1) at this absolute ``ws`` or ``wss`` URL, and closes it.

    The subprotocols are offered; the server may choose any of them, or none. ``timeout_s`` limits each wait for the
    server, in seconds. A server whose certificate can't be verified (``tls``; by default the system's authorities) is
    sent nothing, since the URL may hold a token; but it is up. Raises `NoHandshake`.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection: http.client.HTTPConnection
    if parts.scheme == "wss":
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout_s, context=tls)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    key = base64.b64encode(os.urandom(16)).decode()
    request = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
        **({"Origin": origin} if origin else {}),
    }
    if subprotocols:
        request["Sec-WebSocket-Protocol"] = ", ".join(subprotocols)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with contextlib.closing(connection):
        try:
            connection.request("GET", path, headers=request)
            with connection.getresponse() as response:
                _check(response, key, subprotocols)
                with contextlib.suppress(OSError):
                    # A masked close frame without a code (sections 5.2 and 5.5.1), for a clean close.
                    connection.sock.sendall(b"\x88\x80" + os.urandom(4))
        except ssl.SSLCertVerificationError:
            return
        except OSError as error:
            raise NoHandshake(_reason(error)) from None
        except http.client.HTTPException as error:
            raise NoHandshake(f"no HTTP response ({type(error).__name__})") from None


def _check(response: http.client.HTTPResponse, key: str, subprotocols: Sequence[str]) -> None:
    if response.status in _GUARDED:
        return
    if response.status != 101:
        said = f"{response.status} {response.reason}"[:80]
        offered = (
            f" (offered subprotocols: {', '.join(map(public_subprotocol, subprotocols))})"
            if subprotocols
            else ""
        )
        raise NoHandshake(f"it answered {said!r} instead of 101{offered}", response.status)
    accept = base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest())
    if response.getheader("Sec-WebSocket-Accept", "").strip() != accept.decode():
        raise NoHandshake("its Sec-WebSocket-Accept does not match our key")


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return error.strerror or str(error) or type(error).__name__
