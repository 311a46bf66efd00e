"""What a probe's socket tells: when its bytes left and arrived, plain and under TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support import hostile
from support.certificates import Certificates
from support.serving import Serving

from wsload.protocols.chat.probe import stamps
from wsload.protocols.chat.probe.wire import Hangup, Waiter, Wire, connect

SECOND = 1_000_000_000


def timestamping(seconds: int, nanoseconds: int) -> tuple[int, int, bytes]:
    return socket.SOL_SOCKET, 37, struct.pack("@6l", seconds, nanoseconds, 0, 0, 0, 0)


def error(*, origin: int = 4, info: int = 0, data: int = 99) -> tuple[int, int, bytes]:
    return socket.IPPROTO_IP, 11, struct.pack("@IBBBBII", 42, origin, 0, 0, 0, info, data) + bytes(16)


def test_a_stamp_is_read_from_the_control_messages() -> None:
    assert stamps.received_ns([error(), timestamping(1_700_000_000, 123)]) == 1_700_000_000 * SECOND + 123
    assert stamps.sent_ns([timestamping(5, 7), error(data=2**32 - 1)]) == (2**32 - 1, 5 * SECOND + 7)
    ipv6 = (socket.IPPROTO_IPV6, 25, error()[2])
    assert stamps.sent_ns([timestamping(5, 7), ipv6]) == (99, 5 * SECOND + 7)


@pytest.mark.parametrize(
    "ancillary",
    [
        [],
        [timestamping(0, 0)],
        [(socket.SOL_SOCKET, 37, b"short")],
        [(socket.SOL_SOCKET, 29, timestamping(1, 1)[2])],
        [error()],
        [timestamping(5, 7)],
        [timestamping(5, 7), error(origin=1)],
        [timestamping(5, 7), error(info=2)],
    ],
)
def test_what_is_no_stamp_of_a_sending_is_none(ancillary: stamps.Ancillary) -> None:
    assert stamps.sent_ns(ancillary) is None


def test_a_socket_that_can_not_be_stamped_says_so() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.close()
        assert not stamps.enable(sock)


@pytest.fixture
def watch() -> Iterator[Waiter]:
    one, other = socket.socketpair()
    with one, other:
        yield Waiter([one.fileno()])


def read(wire: Wire, watch: Waiter, size: int) -> tuple[bytes, int | None]:
    """So many bytes of plain text, and the stamp of the last of them."""
    data, stamp = bytearray(), None
    until_ns = time.monotonic_ns() + 20 * SECOND
    while len(data) < size:
        assert watch.wait(wire, until_ns=until_ns, write=wire.backlog)
        wire.flush()
        while (arrival := wire.receive()) is not None:
            data += arrival.data
            stamp = arrival.kernel_ns
    return bytes(data), stamp


async def echo(reader: Any, writer: Any) -> None:
    while data := await reader.read(100_000):
        writer.write(data)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps")
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_the_kernel_says_when_bytes_left_and_arrived(
    secure: bool, serving: Serving, watch: Waiter, certificates: Certificates
) -> None:
    port = serving.tcp(echo, tls=certificates.server_context() if secure else None)
    until_ns = time.monotonic_ns() + 20 * SECOND
    wire = connect("127.0.0.1", port, wait=watch.wait, until_ns=until_ns)
    try:
        if secure:
            context = ssl.create_default_context(cafile=str(certificates.authority))
            wire.start_tls(context, "127.0.0.1", wait=watch.wait, until_ns=until_ns)
        stamped = 0
        while stamped < 5:  # the kernel begins to stamp arrivals a moment after it was asked to
            message = b"hello" * 20
            assert time.monotonic_ns() < until_ns
            before = time.time_ns()
            sent = wire.send(message)
            data, received_ns = read(wire, watch, len(message))
            after = time.time_ns()
            assert data == message
            sent_ns = wire.sent_ns(sent)
            assert sent_ns is not None
            assert wire.sent_ns(sent) is None, "asked for once"
            if received_ns is not None:
                stamped += 1
                assert before <= sent_ns <= received_ns <= after
    finally:
        wire.close()


def test_a_large_message_goes_through_the_backlog(serving: Serving, watch: Waiter) -> None:
    gate = asyncio.Event()

    async def patient_echo(reader: Any, writer: Any) -> None:
        await gate.wait()
        await echo(reader, writer)

    async def open_gate() -> None:
        gate.set()

    port = serving.tcp(patient_echo)
    wire = connect("localhost", port, wait=watch.wait, until_ns=time.monotonic_ns() + 20 * SECOND)
    message = bytes(range(256)) * 125_000
    wire.send(message)
    assert wire.backlog
    serving.run(open_gate())
    assert read(wire, watch, len(message))[0] == message
    assert not wire.backlog
    wire.close()


def test_a_server_that_hangs_up_is_told_apart_from_silence(serving: Serving, watch: Waiter) -> None:
    async def hang_up(reader: Any, writer: Any) -> None:
        await reader.read(1)

    wire = connect(
        "127.0.0.1", serving.tcp(hang_up), wait=watch.wait, until_ns=time.monotonic_ns() + 20 * SECOND
    )
    assert wire.receive() is None
    wire.send(b"!")
    with pytest.raises(Hangup):
        read(wire, watch, 1)
    wire.close()


def secured(port: int, watch: Waiter, certificates: Certificates, patience_s: float = 20.0) -> Wire:
    """A wire that has done, or tried, its TLS handshake; closed when that failed."""
    until_ns = time.monotonic_ns() + int(patience_s * SECOND)
    wire = connect("127.0.0.1", port, wait=watch.wait, until_ns=until_ns)
    context = ssl.create_default_context(cafile=str(certificates.authority))
    try:
        wire.start_tls(context, "127.0.0.1", wait=watch.wait, until_ns=until_ns)
    except BaseException:
        wire.close()
        raise
    return wire


def test_a_tls_server_that_ends_the_connection_has_hung_up(
    serving: Serving, watch: Waiter, certificates: Certificates
) -> None:
    async def once(reader: Any, writer: Any) -> None:
        writer.write(await reader.read(100))
        await reader.read(100)

    wire = secured(serving.tcp(once, tls=certificates.server_context()), watch, certificates)
    wire.send(b"hello")
    assert read(wire, watch, 5)[0] == b"hello"
    wire.send(b"goodbye")
    with pytest.raises(Hangup):
        read(wire, watch, 1)
    wire.close()


async def greet(reader: Any, writer: Any) -> None:
    """Speaks first, and not TLS."""
    writer.write(b"220 smtp.example ESMTP ready\r\n")


@pytest.mark.parametrize(("handler", "error"), [(hostile.silent, TimeoutError), (greet, ssl.SSLError)])
def test_a_server_without_tls_is_not_talked_to(
    serving: Serving, watch: Waiter, certificates: Certificates, handler: Any, error: type[OSError]
) -> None:
    port = serving.tcp(handler)
    with pytest.raises(error):
        secured(port, watch, certificates, patience_s=0.2 if handler is hostile.silent else 20.0)
