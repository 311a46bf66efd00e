"""Canaries: what wsload needs of uvloop beyond its documentation is still there, and does that."""

from __future__ import annotations

import _socket
import asyncio
import contextlib
import contextvars
import gc
import os
import socket
import ssl
from importlib.metadata import version
from typing import Any

import pytest
import uvloop
from canary import needed
from opening_client import run, served_tcp, until

from wsload.load.engine import compat, timerfd

UVLOOP = f"uvloop {version('uvloop')}"


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)


@pytest.mark.parametrize("end", ["close", "abort"])
def test_a_socket_that_is_not_python_s_own_is_connected_handed_over_and_closed_once(end: str) -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, uvloop.Loop)
        async with served_tcp(hang_up) as port:
            sock = compat.HandedSocket(_socket.AF_INET, _socket.SOCK_STREAM)
            sock.setblocking(False)
            await compat.connect_socket(loop, sock, ("127.0.0.1", port))
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=sock)  # type: ignore[arg-type]
            number = sock.fileno()
            getattr(transport, end)()
            await until(lambda: sock.fileno() < 0)
            with socket.socket() as another:
                # Its descriptor's number is free again, and nobody closes it a second time.
                assert another.fileno() <= number, f"{UVLOOP} no longer closes a socket that it was given"
                for _ in range(20):
                    await asyncio.sleep(0)
                os.fstat(another.fileno())

    run(body)


def test_a_socket_is_closed_once_where_its_handing_over_is_cancelled() -> None:
    """With uvloop 0.22 the garbage collector closed the same number again, even if another file had it by then."""

    async def body() -> None:
        loop = asyncio.get_running_loop()
        async with served_tcp(hang_up) as port:
            sock = compat.HandedSocket(_socket.AF_INET, _socket.SOCK_STREAM)
            sock.setblocking(False)
            await compat.connect_socket(loop, sock, ("127.0.0.1", port))
            handing = asyncio.ensure_future(loop.create_connection(asyncio.Protocol, sock=sock))  # type: ignore[arg-type]
            await asyncio.sleep(0)
            handing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await handing
            assert sock.fileno() == -1, f"{UVLOOP} keeps a socket that it has closed"

    run(body)


def test_a_socket_that_is_not_handed_over_is_abandoned() -> None:
    sock = compat.HandedSocket(_socket.AF_INET, _socket.SOCK_STREAM)
    sock.abandon()
    assert sock.fileno() == -1


def test_a_tls_handshake_that_fails_when_it_timed_out_leaves_its_failure_to_nobody() -> None:
    complaints: list[dict[str, Any]] = []

    async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"this is not TLS\r\n")
        await reader.read(-1)

    async def body() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        async with served_tcp(garble) as port:
            sock: Any = compat.HandedSocket(_socket.AF_INET, _socket.SOCK_STREAM)
            sock.setblocking(False)
            await compat.connect_socket(loop, sock, ("127.0.0.1", port))
            context = ssl.create_default_context()
            handing = loop.create_connection(
                asyncio.Protocol, sock=sock, ssl=context, server_hostname="localhost"
            )
            begun = handing.__await__()
            next(begun)
            for _ in range(10):  # on a busy loop, its turn comes only when it is too late
                await asyncio.sleep(0.01)
            with pytest.raises(asyncio.CancelledError):
                begun.throw(asyncio.CancelledError())
        del begun, handing
        gc.collect()

    with needed(
        "uvloop", "the context of an exception that nobody retrieved", "to count a failure only once"
    ):
        run(body)
        assert [compat.counted_already(context) for context in complaints] == [True]


def test_a_task_says_whether_anybody_has_retrieved_its_exception() -> None:
    async def fail() -> None:
        raise ValueError("on purpose")

    async def body() -> None:
        failed, succeeded = asyncio.create_task(fail()), asyncio.create_task(asyncio.sleep(0))
        assert not compat.never_retrieved(failed)
        await asyncio.wait([failed, succeeded])
        assert compat.never_retrieved(failed) and not compat.never_retrieved(succeeded)
        with contextlib.suppress(ValueError):
            await failed
        assert not compat.never_retrieved(failed)

    with needed("CPython", "Future._log_traceback", "to count exceptions that nobody has retrieved"):
        run(body)


def test_of_a_callbacks_exception_the_handler_is_told_in_the_callbacks_context() -> None:
    whose: contextvars.ContextVar[str] = contextvars.ContextVar("whose", default="nobody's")
    told: list[str] = []

    def fail() -> None:
        raise ValueError("on purpose")

    async def body() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(f"{whose.get()} {'handle' in context}"))
        whose.set("ours")
        loop.call_soon(fail)
        loop.call_later(0.001, fail)
        whose.set("theirs")
        await until(lambda: len(told) == 2)

    with needed("uvloop", "the context of the exception handler", "to know whose callback it was"):
        run(body)
        assert told == ["ours True"] * 2


def test_a_timerfd_is_armed_for_a_time() -> None:
    fd = timerfd.create()
    if fd < 0:
        pytest.skip("no timerfd here")
    try:
        with pytest.raises(BlockingIOError):
            os.read(fd, 8)
        timerfd.arm(fd, 1)
        assert len(os.read(fd, 8)) == 8
    finally:
        os.close(fd)
