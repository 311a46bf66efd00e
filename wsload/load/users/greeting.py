"""Who may use a connection before `on_connect` has returned: that hook, and those that are given its messages.

A connection's callbacks run in copies of the context in which it was opened, as does whatever task the hooks make.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_here: ContextVar[object] = ContextVar("_here", default=None)


@contextlib.contextmanager
def greeting() -> Iterator[object]:
    """Opens and greets a connection in this block; yields the mark by which `is_here` recognizes its context."""
    mark = object()
    token = _here.set(mark)
    try:
        yield mark
    finally:
        _here.reset(token)


def is_here(mark: object) -> bool:
    """Whether this runs in the context of that greeting, or in a copy of it."""
    return _here.get() is mark
