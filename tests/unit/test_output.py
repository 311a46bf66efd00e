"""The stream in place of standard output: what is printed waits for its reader, and blocks nobody."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.waiting import until

from wsload.load.locust import output
from wsload.load.locust.output import NonBlockingStream

SMALLEST = 4096
F_SETPIPE_SZ = 1031


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.TextIOWrapper]]:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, SMALLEST)
    with os.fdopen(writing, "w", encoding="ascii") as stream:
        yield reading, stream
    with contextlib.suppress(OSError):  # the test did
        os.close(reading)


def test_a_full_pipe_blocks_nobody_and_is_read_whole_and_in_order(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reading, stream = pipe
    outlet, complaints = NonBlockingStream(stream, io.StringIO()), io.StringIO()
    lines = [f"line {number} " + "x" * 1000 for number in range(100)]
    for line in lines:
        print(line, file=outlet)
    found = b""

    def read_on() -> bool:
        nonlocal found
        outlet.flush()
        found += os.read(reading, 1 << 20)
        return len(found) == sum(len(line) + 1 for line in lines)

    until(read_on)
    assert found.decode().splitlines() == lines
    outlet.finish()
    assert complaints.getvalue() == ""


def test_what_can_not_be_spelt_is_replaced(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reading, stream = pipe
    print("größer", file=NonBlockingStream(stream, io.StringIO()), end="")
    assert os.read(reading, 100) == b"gr??er"
    print("größer", file=NonBlockingStream(stream), end="")
    assert os.read(reading, 100) == rb"gr\xf6\xdfer"


def test_a_reader_that_is_given_up_is_complained_of(
    pipe: tuple[int, io.TextIOWrapper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "PATIENCE_S", 0.1)
    _, stream = pipe
    complaints = io.StringIO()
    outlet = NonBlockingStream(stream, complaints)
    outlet.write("x" * 10_000)
    outlet.finish()
    assert complaints.getvalue() == "wsload: 5.9 kB of output was lost, because nobody read it\n"


def test_beyond_a_bound_what_is_printed_is_dropped(
    pipe: tuple[int, io.TextIOWrapper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "MAX_WAITING", 20_000)
    monkeypatch.setattr(output, "PATIENCE_S", 0.1)
    _, stream = pipe
    complaints = io.StringIO()
    outlet = NonBlockingStream(stream, complaints)
    for _ in range(100):
        outlet.write("x" * 1000)
    outlet.finish()
    assert outlet._size <= 20_000
    assert complaints.getvalue() == "wsload: 99 kB of output was lost, because nobody read it\n"


def test_a_reader_that_is_gone_is_no_error(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reading, stream = pipe
    complaints = io.StringIO()
    outlet = NonBlockingStream(stream, complaints)
    os.close(reading)
    outlet.write("hello")
    outlet.write("hello")
    assert complaints.getvalue() == ""


def test_it_is_the_stream_in_all_else(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w", encoding="utf-8") as stream:
        outlet = NonBlockingStream(stream)
        assert (outlet.encoding, outlet.fileno(), outlet.isatty()) == ("utf-8", stream.fileno(), False)
        assert outlet.buffer is stream.buffer
        outlet.reconfigure(encoding="ascii")
        outlet.write("ö")
    assert (tmp_path / "log").read_bytes() == rb"\xf6"
