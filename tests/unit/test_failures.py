"""One short name for each cause of a failed opening or an unwanted close."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import (
    InvalidHeader,
    InvalidMessage,
    InvalidProxyMessage,
    NegotiationError,
    ProxyError,
)

from wsload.load.engine.compat import counted_already
from wsload.load.ws.dialing import NotLocal
from wsload.load.ws.failures import failure_kind
from wsload.load.ws.handshake import HungUp, Refused, SpeaksTls
from wsload.load.ws.redirects import BadRedirect


def refused(says: str = "self-signed certificate") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = says
    return error


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


KINDS = [
    (TimeoutError(), "timeout"),
    (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), "timeout"),
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "dns"),
    (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "dns"),
    (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "refused"),
    (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "reset"),
    (BrokenPipeError(errno.EPIPE, "Broken pipe"), "reset"),
    (ConnectionResetError(), "reset"),
    (EOFError(), "hung up"),
    (HungUp("without an answer"), "hung up"),
    (NotLocal(errno.EADDRNOTAVAIL, "192.0.2.1 is not an address of this host"), "source address"),
    (FileNotFoundError(errno.ENOENT, "No such file or directory"), "no socket"),
    (OSError(errno.EHOSTUNREACH, "No route to host"), "unreachable"),
    (OSError(errno.ENETUNREACH, "Network is unreachable"), "unreachable"),
    (OSError(errno.EMFILE, "Too many open files"), "too many open files"),
    (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), "no free port"),
    (OSError(errno.EIO, "Input/output error"), "os error"),
    (refused(), "tls"),
    (ssl.SSLError(1, "decryption failed"), "tls"),
    (tls("WRONG_VERSION_NUMBER"), "not a TLS port"),
    (tls("SSLV3_ALERT_HANDSHAKE_FAILURE"), "tls"),
    (SpeaksTls(), "a TLS port"),
    (Refused(status=503, phrase="Service Unavailable", headers={}), "bad status 503"),
    (NegotiationError("unsupported subprotocol: xml"), "subprotocol"),
    (NegotiationError("unsupported extension: name = x"), "extension"),
    (InvalidHeader("Upgrade", "h2c"), "bad handshake"),
    (caused(InvalidMessage("no valid response"), EOFError("closed while reading")), "bad handshake"),
    (BadRedirect("more than 10"), "redirect"),
    (ProxyError("failed to connect"), "proxy"),
    (caused(InvalidProxyMessage("no valid response"), EOFError()), "proxy"),
    (ZeroDivisionError("a bug"), "ZeroDivisionError"),
]


@pytest.mark.parametrize(("error", "kind"), KINDS, ids=lambda value: repr(value)[:60])
def test_a_cause_has_its_name(error: Exception, kind: str) -> None:
    assert failure_kind(error)[0] == kind


def test_the_detail_says_what_the_kind_does_not() -> None:
    assert failure_kind(refused())[1] == "self-signed certificate"
    assert failure_kind(NegotiationError("unsupported subprotocol: xml"))[1] == "unsupported subprotocol: xml"
    assert failure_kind(caused(InvalidMessage("no"), EOFError("closed early")))[1] == "closed early"
    assert "--ws-open-timeout" in failure_kind(TimeoutError())[1]
    strict = failure_kind(refused("CA cert does not include key usage extension"))[1]
    assert "key usage" in strict and "--ws-ca-file" in strict


@given(
    st.text(max_size=300), st.sampled_from([InvalidHeader, BadRedirect, NegotiationError, ZeroDivisionError])
)
def test_a_detail_is_one_line(text: str, kind: Any) -> None:
    name, detail = failure_kind(kind(text))
    assert name.isprintable() and "\n" not in detail and "\r" not in detail


@given(st.sampled_from(sorted(errno.errorcode)), st.sampled_from([OSError, ConnectionError]))
def test_every_error_of_the_system_has_a_short_name(number: int, kind: type[OSError]) -> None:
    name, detail = failure_kind(kind(number, os.strerror(number)))
    assert name
    assert len(name) < 30
    assert name.isprintable()
    assert detail == os.strerror(number) or name == "timeout"


def test_a_handshake_that_fails_when_nobody_waits_any_more_was_counted() -> None:
    complaints: list[dict[str, Any]] = []

    async def forget(error: Exception) -> None:
        asyncio.get_running_loop().create_future().set_exception(error)

    async def neglect(error: Exception) -> None:
        async def fail() -> None:
            raise error

        await asyncio.wait([asyncio.create_task(fail())])

    with asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(lambda _, context: complaints.append(context))
        for error in (refused(), ConnectionResetError(), ZeroDivisionError()):
            runner.run(forget(error))
            runner.run(neglect(error))
    assert [counted_already(context) for context in complaints] == [True, False, True, False, False, False]
    assert not counted_already({"message": "an timers's callback failed", "exception": OSError()})
