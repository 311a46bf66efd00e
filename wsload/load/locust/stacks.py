"""What another thread is doing just now: the frames of its stack, innermost first.

The other thread may run between any two bytecodes of the observing one. Walking up its stack by ``f_back`` then ends in
the wrong function, and in CPython 3.11 even in memory that is no longer a frame. So the whole stack is collected by
iterators written in C, without a byte code in between.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterator
from itertools import accumulate, chain, repeat
from operator import attrgetter, call, itemgetter
from types import FrameType
from typing import Any

from wsload.load.locust.compat import current_frames


def stack_of_thread(thread_id: int) -> list[FrameType]:
    """The frames of a thread, by its real id; none if it has ended."""
    return _upwards(map(itemgetter(thread_id), map(call, (current_frames,))))


def stack_of_greenlet(suspended: Any) -> list[FrameType]:
    """The frames of a greenlet of any thread; none if it is running, or has ended."""
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
