"""Decides who may use a connection while `on_connect` runs: that hook, and the hooks that receive its messages.

A connection's callbacks run in copies of the context in which it was opened, as does whatever task the hooks make.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_here: ContextVar[object] = ContextVar("_here", default=None)


@contextlib.contextmanager
def greeting() -> Iterator[object]:
    """Marks the context in which a connection is opened and `on_connect` runs; yields the mark for `is_here`."""
    mark = object()
    token = _here.set(mark)
    try:
        yield mark
    finally:
        _here.reset(token)


def is_here(mark: object) -> bool:
    """Whether this runs in the context with that mark, or in a copy of it."""
    return _here.get() is mark
