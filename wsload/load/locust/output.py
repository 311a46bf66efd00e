"""What the process prints, on its way to a reader that may not read: never the run's affair.

A pipe that nobody reads is full after 64 KiB. Whoever writes to it then waits; were that the hub, the run would not
end, signals and run time or not.
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
"""So many bytes a pipe takes without blocking when it says that it takes any."""
MOST_WAITING: Final = 16 << 20
"""Bytes that may wait for a reader; what is printed beyond them is dropped."""
TICK_S: Final = 0.25
PATIENCE_S: Final = 5.0
"""At the end a reader that takes nothing for so long is given up."""


class Outlet(io.TextIOBase):
    """Stands for a text stream of the process, and never blocks: what its reader does not take waits.

    What can't be written at all is dropped, and said once on ``complaints``.
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
            if self._size + len(data) > MOST_WAITING or self._broken:
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
        """At the end of the process: waits while there is a reader who reads."""
        deadline, left = time.monotonic() + PATIENCE_S, self._size
        while self._size and time.monotonic() < deadline:
            self._poll.poll(TICK_S * 1000)
            self.flush()
            if self._size < left:
                deadline, left = time.monotonic() + PATIENCE_S, self._size
        if lost := self._size + self._dropped:
            self._complain(f"{size(lost)} of what was printed were not read, and are lost")

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
        if error.errno != errno.EPIPE:  # whoever closes a pipe knows
            self._complain(f"what is printed can't be written: {error.strerror}")

    def _complain(self, text: str) -> None:
        if self._complaints is not None:
            self._complaints.write(f"wsload: {text}\n")


def install() -> None:
    """Puts an outlet in place of standard output and standard error, and in all that logs there, but for terminals."""
    outlets: list[Outlet] = []
    for name in ("stderr", "stdout"):
        stream = getattr(sys, name)
        try:
            if isinstance(stream, Outlet) or stream.isatty():
                continue
            stream.flush()
            outlet = Outlet(stream, None if name == "stderr" else sys.stderr)
        except (AttributeError, OSError, ValueError):
            continue  # closed, or a test's own
        outlets.append(outlet)
        setattr(sys, name, outlet)
        for handler in log_handlers():
            if getattr(handler, "stream", None) is stream:
                handler.stream = outlet  # type: ignore[attr-defined]
    if outlets:
        gevent.spawn(_go_on, outlets)
        for outlet in outlets:
            atexit.register(outlet.finish)


def _go_on(outlets: list[Outlet]) -> None:
    while True:
        gevent.sleep(TICK_S)
        for outlet in outlets:
            outlet.flush()
