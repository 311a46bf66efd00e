"""Finds the place at which a thread or task is stuck: the user class's method, and the line.

Another thread may run between any two bytecodes of the observing one. Walking up its stack by ``f_back`` then ends in
the wrong function, and in CPython 3.11 even in memory that is no longer a frame. So its whole stack is collected by
iterators written in C, without a byte code in between.
"""

from __future__ import annotations

import asyncio
import gc
import linecache
import sysconfig
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, repeat
from operator import attrgetter, call, itemgetter
from pathlib import Path
from types import FrameType
from typing import Any, Final

from locust import User

from wsload.load.locust.compat import current_frames
from wsload.redact import plain

_FOREIGN: Final = (
    sysconfig.get_path("stdlib"),
    sysconfig.get_path("platstdlib"),
    sysconfig.get_path("purelib"),
    sysconfig.get_path("platlib"),
    str(Path(__file__).parents[2]),
    "<frozen",
)
"""Prefixes of the files that are not the user's code: libraries, and this package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in the code."""

    text: str
    """For people: ``Client.ask (locustfile.py:12: time.sleep(3))``."""
    stack: str
    """The frames, outermost first, as in a traceback."""


def is_user_code(frame: FrameType) -> bool:
    """Whether the frame runs the user's code rather than a library's."""
    return not frame.f_code.co_filename.startswith(_FOREIGN)


def stack_of_thread(thread_id: int) -> list[FrameType]:
    """The frames of a thread, by its real id, innermost first; none if it has ended."""
    return _upwards(map(itemgetter(thread_id), map(call, (current_frames,))))


def stack_of_greenlet(suspended: Any) -> list[FrameType]:
    """The frames of a greenlet of any thread, innermost first; none if it is running, or has ended."""
    return _upwards(map(attrgetter("gr_frame"), (suspended,)))


def _upwards(innermost: Iterator[FrameType | None]) -> list[FrameType]:
    frames: deque[FrameType | None] = deque()
    collecting = gc.isenabled()
    gc.disable()  # a collection calls gc.callbacks, which are Python code
    try:
        frames.extend(accumulate(chain(innermost, repeat("f_back")), getattr))  # type: ignore[arg-type]
    except (AttributeError, KeyError):
        pass  # above the outermost frame is None; a thread that has ended has no frame at all
    finally:
        if collecting:
            gc.enable()
    return [each for each in frames if each is not None]


def frames_of_task(task: asyncio.Task[Any]) -> list[FrameType]:
    """The frames of the coroutines that a task waits in, innermost first."""
    frames: list[FrameType] = []
    coroutine: Any = task.get_coro()
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        frames.insert(0, frame)
        coroutine = coroutine.cr_await
    return frames


def place_of(frames: Sequence[FrameType]) -> Place | None:
    """The innermost line of the user's code, named by the user class's method that led there."""
    own = [each for each in frames if is_user_code(each)]
    if not frames:
        return None
    at = own[0] if own else frames[0]
    method = next((each for each in own if isinstance(each.f_locals.get("self"), User)), None)
    name = at.f_code.co_name
    if method is not None:
        name = f"{type(method.f_locals['self']).__name__}.{method.f_code.co_name}"
    line = linecache.getline(at.f_code.co_filename, at.f_lineno).strip()
    where = f"{Path(at.f_code.co_filename).name}:{at.f_lineno}"
    stack = traceback.StackSummary.extract(
        ((each, each.f_lineno) for each in reversed(frames)), lookup_lines=True
    )
    text = plain(f"{name} ({where}{f': {line}' if line else ''})")  # the file's name may be no UTF-8
    return Place(text=text, stack="".join(stack.format()))
