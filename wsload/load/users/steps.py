"""Composite steps: several messages measured as one figure."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Final, Self

from wsload.errors import WorkloadError
from wsload.load.users.context.control_flow import CONTROL_FLOW, parts
from wsload.load.users.context.here import Lingering, current_due, current_lingering, this_task
from wsload.load.users.sockets.tally import cut
from wsload.measure.keys import join_key
from wsload.measure.names import Kind

UNFINISHED: Final = "unfinished at the end"


class Step:
    """A composite step, from the start to the end of its ``with`` block."""

    __slots__ = ("_began_ns", "_figures", "_kind", "_lag_ns", "_lingering", "_user")

    def __init__(self, user: Any, name: str) -> None:
        self._user = user
        self._figures = user._socket.declare(name, Kind.STEP)
        self._kind: str | None
        self._began_ns = 0
        self._lag_ns = 0
        self._lingering: Lingering

    def failed(self, kind: str) -> None:
        """Marks the step as failed, with this kind of failure; it still ends with its block."""
        self._kind = cut(kind)

    def __enter__(self) -> Self:
        self._kind = None
        self._lingering = Lingering(current_lingering.get(), this_task(), self._figures.name)
        current_lingering.set(self._lingering)
        self._began_ns, self._lag_ns = current_due.get().counted(time.monotonic_ns())
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        now_ns = time.monotonic_ns()
        lingering = self._lingering
        current_lingering.set(lingering.outer)
        lingering.task = 0
        current_due.get().void()  # requests after the step don't count from when the task was due
        socket = self._user._socket
        recorder = socket.recorder
        kind, detail = self._kind, ""
        if kind is None and error is not None:
            error = parts(error)[-1]
            cancelled = isinstance(error, asyncio.CancelledError | GeneratorExit)
            if isinstance(error, CONTROL_FLOW) or (cancelled and self._user._life.cut_short):
                recorder.add(join_key(self._figures.name, UNFINISHED))
                return
            kind = error.kind if isinstance(error, WorkloadError) else type(error).__name__
            detail = error.detail if isinstance(error, WorkloadError) else str(error)
        metric = self._figures.name if kind is None else self._figures.failed
        time_ns, late_ns = lingering.rest(self._began_ns, now_ns, self._lag_ns, recorder.lateness)
        recorder.spent(metric, time_ns, late_ns)
        if kind is not None:
            recorder.failed(self._figures.name, kind, socket.with_details(time_ns), detail=detail)
        elif recorder.detailed:
            socket.add_answer(self._figures, None)
