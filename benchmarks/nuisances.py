"""Ways to hold a process up from outside: other processes on its core, and signals."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final

CORE: Final = 0
"""The core of the process to be held up."""
BUSY: Final = 4
"""How many: one alone makes way for a process that sleeps most of the time."""
Nuisance = Callable[[int, float], "contextlib.AbstractContextManager[None]"]
"""Takes a process id, and the share of the time for which to hold that process up, roughly."""


@contextlib.contextmanager
def nobody(pid: int, often: float) -> Iterator[None]:
    """Does not hold it up."""
    yield


@contextlib.contextmanager
def starve(pid: int, often: float) -> Iterator[None]:
    """Runs busy processes on its core, each for a part of the time."""
    with contextlib.ExitStack() as stack:
        for _ in range(BUSY):
            stack.enter_context(_busy(_BUSY.format(priority="os.nice(0)", seconds=0.1, pause=0.1 / often)))
        yield


@contextlib.contextmanager
def deschedule(pid: int, often: float) -> Iterator[None]:
    """Repeatedly takes its core with a process of higher priority."""
    priority = "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))"
    with _busy(_BUSY.format(priority=priority, seconds=0.02, pause=0.02 / often)):
        yield


_BUSY: Final = """
import os, random, time
try: {priority}
except PermissionError: pass
while True:
    end = time.monotonic() + {seconds}
    while time.monotonic() < end: pass
    time.sleep(random.expovariate(1 / {pause}))
"""


@contextlib.contextmanager
def _busy(code: str) -> Iterator[None]:
    busy = subprocess.Popen([sys.executable, "-c", code])
    os.sched_setaffinity(busy.pid, {CORE})
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


@contextlib.contextmanager
def stop(pid: int, often: float) -> Iterator[None]:
    """Repeatedly stops and continues it."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(random.expovariate(often / 0.15)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                over.wait(random.uniform(0.03, 0.3))
                os.kill(pid, signal.SIGCONT)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()


NUISANCES: Final[dict[str, Nuisance]] = {"": nobody, "starve": starve, "stop": stop, "deschedule": deschedule}
