"""Makes standard output and error non-blocking, so that a reader that does not read can't hold up the run.

A pipe that nobody reads is full after 64 KiB, and then blocks the writer. If that is the hub, neither signals nor
the run time end the run.
"""

from __future__ import annotations

import atexit
import collections
import errno
import io
import os
import select
import sys
import time
from typing import Any, Final

import gevent
import gevent.monkey

from wsload.load.locust.compat import log_handlers
from wsload.words import size

PIECE: Final = select.PIPE_BUF
"""Bytes that a pipe accepts without blocking if it polls as writable."""
MAX_WAITING: Final = 16 << 20
"""Bytes that may wait for the reader; further output is dropped."""
TICK_S: Final = 0.25
PATIENCE_S: Final = 5.0
"""At exit, a reader that reads nothing for this long is given up."""


class NonBlockingStream(io.TextIOBase):
    """Replaces a text stream of the process and never blocks: it buffers what the reader does not read.

    Output that can't be written is dropped, and reported once on ``complaints``.
    """

    def __init__(self, stream: Any, complaints: Any = None) -> None:
        self._stream = stream
        self._complaints = complaints
        self._fd: int = stream.fileno()
        self._waiting: collections.deque[bytes] = collections.deque()
        self._size = self._dropped = 0
        self._broken = False
        self._lock = gevent.monkey.get_original("_thread", "allocate_lock")()  # tasks log on other threads
        self._poll = gevent.monkey.get_original("select", "poll")()
        self._poll.register(self._fd, select.POLLOUT)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)  # buffer, reconfigure and the like

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return str(self._stream.encoding)

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace" if self._complaints is None else "replace"

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        data = text.encode(self.encoding, self.errors)
        with self._lock:
            if self._size + len(data) > MAX_WAITING or self._broken:
                self._dropped += len(data)
            else:
                self._waiting.extend(data[start : start + PIECE] for start in range(0, len(data), PIECE))
                self._size += len(data)
            self._drain()
        return len(text)

    def flush(self) -> None:
        with self._lock:
            self._drain()

    def finish(self) -> None:
        """At exit: waits for the reader as long as it reads."""
        deadline, left = time.monotonic() + PATIENCE_S, self._size
        while self._size and time.monotonic() < deadline:
            self._poll.poll(TICK_S * 1000)
            self.flush()
            if self._size < left:
                deadline, left = time.monotonic() + PATIENCE_S, self._size
        if lost := self._size + self._dropped:
            self._complain(f"{size(lost)} of output was lost, because nobody read it")

    def _drain(self) -> None:
        while self._waiting and self._poll.poll(0):
            piece = self._waiting.popleft()
            try:
                written = os.write(self._fd, piece)
            except BlockingIOError:
                written = 0
            except OSError as error:
                self._break(error)
                return
            self._size -= written
            if written < len(piece):
                self._waiting.appendleft(piece[written:])
                return

    def _break(self, error: OSError) -> None:
        self._broken, self._size = True, 0
        self._waiting.clear()
        if error.errno != errno.EPIPE:  # the reader closed the pipe on purpose
            self._complain(f"can't write the output: {error.strerror}")

    def _complain(self, text: str) -> None:
        if self._complaints is not None:
            self._complaints.write(f"wsload: {text}\n")


def install() -> None:
    """Makes standard output and error, and log handlers that write there, non-blocking, except for terminals."""
    streams: list[NonBlockingStream] = []
    for name in ("stderr", "stdout"):
        stream = getattr(sys, name)
        try:
            if isinstance(stream, NonBlockingStream) or stream.isatty():
                continue
            stream.flush()
            replacement = NonBlockingStream(stream, None if name == "stderr" else sys.stderr)
        except (AttributeError, OSError, ValueError):
            continue  # closed, or replaced by a test
        streams.append(replacement)
        setattr(sys, name, replacement)
        for handler in log_handlers():
            if getattr(handler, "stream", None) is stream:
                handler.stream = replacement  # type: ignore[attr-defined]
        atexit.register(replacement.finish)
    if streams:
        gevent.spawn(_flush_regularly, streams)


def _flush_regularly(streams: list[NonBlockingStream]) -> None:
    while True:
        gevent.sleep(TICK_S)
        for stream in streams:
            stream.flush()
