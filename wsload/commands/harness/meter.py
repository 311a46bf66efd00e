"""CPU and memory of a server's processes, sampled about once a second."""

from __future__ import annotations

import threading
import time
from typing import Final

import psutil

from wsload.results.server_figures import Sample, ServerFigures

EVERY_S: Final = 1.0
MAX_SAMPLES: Final = 600
_GONE: Final = (psutil.NoSuchProcess, psutil.AccessDenied)


class Meter:
    """Samples a process and all its descendants, from construction until `figures`."""

    def __init__(self, pid: int, *, expected_s: float) -> None:
        """``expected_s`` is the expected duration: long runs are sampled less often."""
        self._every_s = max(EVERY_S, expected_s / MAX_SAMPLES)
        self._root = psutil.Process(pid)
        self._samples: list[Sample] = []
        self._processes = 0
        self._started_s = self._looked_s = time.monotonic()
        self._cpu_at_start_s = self._cpu_s = self._look()[0]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def figures(self, *, command: str, url: str, exit_code: int | None) -> ServerFigures:
        """Stops sampling; call this before the server is stopped."""
        self._over.set()
        self._thread.join()
        self._sample()
        length_s = max(self._looked_s - self._started_s, 1e-3)
        cpu_s = self._cpu_s - self._cpu_at_start_s
        return ServerFigures(
            command=command,
            url=url,
            exit_code=exit_code,
            cpu_s=round(cpu_s, 3),
            cpu_share=round(cpu_s / length_s, 4),
            memory_peak_bytes=max((sample.memory_bytes for sample in self._samples), default=0),
            processes=self._processes,
            every_s=self._every_s,
            samples=tuple(self._samples),
        )

    def _watch(self) -> None:
        while not self._over.wait(self._every_s):
            self._sample()

    def _sample(self) -> None:
        cpu_s, memory, processes = self._look()
        if not processes:  # it is gone: the last sample is all there is
            return
        now_s = time.monotonic()
        spent_s = max(cpu_s - self._cpu_s, 0.0)
        self._samples.append(
            Sample(
                at_s=round(now_s - self._started_s, 3),
                cpu_share=round(spent_s / max(now_s - self._looked_s, 1e-3), 4),
                memory_bytes=memory,
            )
        )
        self._processes = max(self._processes, processes)
        self._cpu_s, self._looked_s = max(cpu_s, self._cpu_s), now_s

    def _look(self) -> tuple[float, int, int]:
        """CPU seconds, resident bytes and number of the living processes."""
        cpu_s, memory, processes = 0.0, 0, 0
        try:
            family = [self._root, *self._root.children(recursive=True)]
        except _GONE:
            return 0.0, 0, 0
        for process in family:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    memory += process.memory_info().rss
            except _GONE:
                continue
            # The parent's times include those of children that it has waited for.
            cpu_s += times.user + times.system + times.children_user + times.children_system
            processes += 1
        return cpu_s, memory, processes
