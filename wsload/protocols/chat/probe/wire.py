"""A TCP connection, with or without TLS, that knows when its bytes left and arrived, and a way to wait for it.

TLS is done in memory, between the socket and the caller. So the kernel's timestamps apply to the encrypted bytes that
carry a message: the plain text of a record gets the record's timestamp.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from wsload.protocols.chat.probe import stamps

READ_BYTES: Final = 65_536
SENT_REMEMBERED: Final = 4_096
"""How many timestamps of sent bytes are kept for `Wire.sent_ns`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Bytes from one read."""

    data: bytes
    """Plain text; may be empty with TLS."""
    read_ns: int
    """When the read returned, by ``time.monotonic_ns``."""
    kernel_ns: int | None
    """When the last byte arrived, by the kernel's CLOCK_REALTIME; None without a timestamp."""


class Stopped(Exception):
    """The probe was told to stop; raised once."""


class Waiter:
    """Waits for sockets, and for a stop request: data or end of file on any of the file descriptors ``stops``.

    Those of the probe are its standard input, which ends with its parent, and the pipe that signals write to.
    """

    def __init__(self, stops: Sequence[int]) -> None:
        self._stops = list(stops)

    def wait(self, what: Any, *, until_ns: int, write: bool = False) -> bool:
        """Waits until the socket is readable (or writable, with ``write``); returns False after ``until_ns``.

        ``what`` is a socket, or anything with a ``fileno``; None just waits for the time. ``until_ns`` is monotonic.
        Raises `Stopped` at the first stop request only.
        """
        left_s = max(0.0, (until_ns - time.monotonic_ns()) / 1e9)
        read: list[Any] = [*self._stops, what] if what is not None else self._stops
        readable, writable, _ = select.select(read, [what] if write else [], [], left_s)
        for stop in self._stops:
            if stop in readable:
                os.read(stop, 4096)
                self._stops = []
                raise Stopped
        return bool(readable or writable)


class Wait(Protocol):
    """See `Waiter.wait`."""

    def __call__(self, what: Any, *, until_ns: int, write: bool = False) -> bool: ...


class Hangup(ConnectionError):
    """The server closed the TCP connection."""


class Wire:
    """An open connection with a non-blocking socket; call `close` in the end."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._stamped = stamps.enable(sock)
        self._tls: ssl.SSLObject | None = None
        self._encrypted_in = ssl.MemoryBIO()
        self._encrypted_out = ssl.MemoryBIO()
        self._ended = False
        self._backlog = bytearray()
        self._queued = 0
        self._sent: dict[int, int] = {}

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        """Drops the connection, with any data in flight."""
        self._sock.close()

    @property
    def backlog(self) -> bool:
        """Whether bytes wait for the socket to become writable; then call `flush`."""
        return bool(self._backlog)

    def start_tls(self, context: ssl.SSLContext, host: str, *, wait: Wait, until_ns: int) -> None:
        """Does the TLS handshake. Raises `TimeoutError`, ``ssl.SSLError`` or another `OSError`."""
        self._tls = context.wrap_bio(self._encrypted_in, self._encrypted_out, server_hostname=host)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._enqueue(self._encrypted_out.read())
                ready = wait(self._sock, until_ns=until_ns, write=self.backlog)
                if not ready or time.monotonic_ns() >= until_ns:
                    raise TimeoutError("the TLS handshake took too long") from None
                self.flush()
                with contextlib.suppress(BlockingIOError):
                    self._encrypted_in.write(self._sock_read()[0])
            else:
                self._enqueue(self._encrypted_out.read())
                return

    def send(self, data: bytes) -> int:
        """Sends as much as the socket takes and queues the rest; returns the number of the last byte, for `sent_ns`."""
        if self._tls is not None:
            self._tls.write(data)
            data = self._encrypted_out.read()
        return self._enqueue(data)

    def flush(self) -> None:
        """Writes as much of the backlog as the socket takes."""
        with contextlib.suppress(BlockingIOError):
            while self._backlog:
                del self._backlog[: self._sock.send(self._backlog)]

    def receive(self) -> Arrival | None:
        """The data that has arrived; None if there is none. Raises `Hangup` or another `OSError`.

        Call it until it returns None or raises: TLS may end before TCP.
        """
        if self._ended:
            raise Hangup("the server ended the TLS connection")
        try:
            data, ancillary = self._sock_read()
        except BlockingIOError:
            return None
        read_ns = time.monotonic_ns()
        # A full read may end in the middle of a segment, and then lacks that segment's timestamp.
        kernel_ns = stamps.received_ns(ancillary) if len(data) < READ_BYTES else None
        if self._tls is not None:
            data = self._decrypted(data)
        return Arrival(data=data, read_ns=read_ns, kernel_ns=kernel_ns)

    def sent_ns(self, number: int) -> int | None:
        """When the byte with this number left, by the kernel's CLOCK_REALTIME; None if unknown. Forgets it."""
        self._read_sent()
        return self._sent.pop(number & 0xFFFFFFFF, None)

    def _enqueue(self, data: bytes) -> int:
        self._queued += len(data)
        self._backlog += data
        self.flush()
        return self._queued - 1

    def _sock_read(self) -> tuple[bytes, stamps.Ancillary]:
        self._read_sent()
        data, ancillary, _, _ = self._sock.recvmsg(READ_BYTES, stamps.ANCILLARY_BYTES)
        if not data:
            raise Hangup("the server hung up")
        return data, ancillary

    def _decrypted(self, data: bytes) -> bytes:
        assert self._tls is not None
        self._encrypted_in.write(data)
        plain = bytearray()
        with contextlib.suppress(ssl.SSLWantReadError):
            while part := self._tls.read(READ_BYTES):
                plain += part
            self._ended = True
        if self._encrypted_out.pending:
            self._enqueue(self._encrypted_out.read())
        return bytes(plain)

    def _read_sent(self) -> None:
        # Entries of the error queue make the socket readable.
        if not self._stamped:
            return
        with contextlib.suppress(BlockingIOError):
            while True:
                _, ancillary, _, _ = self._sock.recvmsg(0, stamps.ANCILLARY_BYTES, socket.MSG_ERRQUEUE)
                found = stamps.sent_ns(ancillary)
                if found is not None:
                    # A retransmitted segment gets a second timestamp; the first one counts.
                    self._sent.setdefault(*found)
        while len(self._sent) > SENT_REMEMBERED:
            del self._sent[next(iter(self._sent))]


def connect(host: str, port: int, *, wait: Wait, until_ns: int) -> Wire:
    """Connects to the first address of the host that answers.

    Raises the first address's `OSError`, which may be a `TimeoutError`, if none answers.
    """
    first: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _connect(sock, address, wait, until_ns)
            return Wire(sock)
        except OSError as error:
            sock.close()
            first = first or error
        except BaseException:
            sock.close()
            raise
    assert first is not None
    raise first


def _connect(sock: socket.socket, address: object, wait: Wait, until_ns: int) -> None:
    try:
        sock.connect(address)  # type: ignore[arg-type]  # as getaddrinfo gave it
    except BlockingIOError:
        if not wait(sock, until_ns=until_ns, write=True):
            raise TimeoutError("connecting took too long") from None
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error)) from None
