"""Makes the runs of an experiment, in turn or both of a pair at once; what was measured is kept, whatever happens."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from wsload.children import Guard
from wsload.commands.ab.experiment import (
    CALIBRATION,
    DISCARDED,
    Calibration,
    Experiment,
    Outcome,
    StopReason,
    save,
)
from wsload.commands.ab.plan import Slot
from wsload.commands.ab.silence import silence
from wsload.commands.harness.builds import handshake_options
from wsload.commands.harness.load import Load, Target, make_load
from wsload.commands.harness.pinning import Pinning, available
from wsload.commands.harness.place import LOCUST_LOG, STAGE, conducted, free, put_in_place
from wsload.commands.harness.server import Server
from wsload.commands.harness.worktree import Worktrees
from wsload.errors import NothingMeasured, Untrusted, WsloadError
from wsload.judge.compare.pairs import Side
from wsload.results.files import replace_file
from wsload.results.reader import StoredRun
from wsload.results.server_figures import SERVER, SERVER_LOG

Summary = Mapping[str, Any]
"""The contents of a run's summary.json."""
MAX_INVALID: Final = 6
"""After this many attempts in a row that were not valid the experiment ends: the next would be no better."""
TOO_MUCH: Final = "; if one process can't load both sides, reduce the load or use --one-at-a-time"


class ProgressListener(Protocol):
    """Receives progress updates of an experiment."""

    def step(self, experiment: Experiment, slots: Sequence[Slot], doing: str) -> None:
        """Something begins, such as measuring, for these runs at once."""

    def repeated(self, experiment: Experiment, slot: Slot, reason: str) -> None:
        """A run can't be used, and is repeated."""

    def made(self, experiment: Experiment, slot: Slot, outcome: Outcome, summary: Summary) -> None:
        """A run was made."""


class Conductor:
    """Conducts an experiment in its directory, which the caller has locked (`wsload.commands.harness.place.alone`)."""

    def __init__(
        self,
        path: Path,
        experiment: Experiment,
        *,
        listener: ProgressListener,
        is_clear: Callable[[Experiment], bool],
        environment: Mapping[str, str],
        load: Callable[..., list[Load]] = make_load,
    ) -> None:
        """``is_clear`` tells after a pair whether the verdict is clear, by the plan's stopping rule;
        ``environment`` holds Locust's environment variables.
        """
        self.path = path
        self.experiment = experiment
        """With the runs made so far."""
        self._listener = listener
        self._is_clear = is_clear
        self._load = load
        self._invalid = 0
        """The number of attempts in a row that were not valid."""
        plan = experiment.plan
        self._pinning = Pinning(plan.pin, available(), at_once=plan.side_by_side)
        self._handshake = handshake_options(plan.options, environment)

    def go_on(self) -> None:
        """Makes the remaining runs.

        The experiment is saved after each run, so it may be interrupted at any time: by Ctrl-C or SIGTERM
        (`KeyboardInterrupt`), or by a `WsloadError` when a server fails, Locust does not start or the disk is full.
        """
        with conducted(self.path), Guard() as guard:
            self._tidy()
            self._keep(self.experiment)
            with Worktrees(self.experiment.plan, logs=self.path, guard=guard) as trees:
                for slots in self.experiment.turns:
                    while calibration := self.experiment.calibration:
                        self._fill(calibration, guard, trees)
                    self._fill(slots, guard, trees)
                    if self._over_early(slots[-1]):
                        self._keep(replace(self.experiment, ended=StopReason.EARLY))
                        break

    def _over_early(self, slot: Slot) -> bool:
        whole = slot.number == 2 * slot.pair and self.experiment.ended is None
        return self.experiment.plan.stop_early and whole and self._is_clear(self.experiment)

    def _keep(self, experiment: Experiment) -> None:
        save(self.path, experiment)
        self.experiment = experiment

    def _tidy(self) -> None:
        """After a break: discards the unfinished run, and the run whose partner is missing."""
        if (self.path / STAGE).exists():
            self._set_aside(self.path / STAGE, "cut-short")
        self.experiment, half = self.experiment.without_half_pair()
        if half is not None:
            self._set_aside(self.path / half.run, half.run)

    def _fill(self, slots: Sequence[Slot], guard: Guard, trees: Worktrees) -> None:
        """Makes these runs at the same time, all again if one is not valid, and moves them to their place."""
        started_s = time.monotonic()
        reasons: dict[Slot, list[str]] = {slot: [] for slot in slots}
        attempts = self.experiment.plan.repeats + 1
        while True:
            loads = self._attempt(slots, guard, trees)
            attempts -= 1
            bad = {slot: load for slot, load in loads.items() if load.problem}
            self._invalid = self._invalid + 1 if any(load.run is not None for load in bad.values()) else 0
            if silent := silence(self.experiment.plan, loads):
                self._discard(slots)
                raise NothingMeasured(silent)
            if self._invalid == MAX_INVALID:
                self._discard(slots)
                raise Untrusted(
                    f"{MAX_INVALID} attempts in a row were not valid, so the experiment was stopped: "
                    f"{next(iter(bad.values())).problem}" + (TOO_MUCH if len(slots) > 1 else "")
                )
            if not bad or (not attempts and all(load.run is not None for load in loads.values())):
                break
            for slot, load in bad.items():
                if not attempts and load.run is None:
                    which = "the calibration run" if slot.calibrates else f"run {slot.number}"
                    raise WsloadError(f"{which} ({slot.letter}) failed every time: {load.problem}")
                reasons[slot].append(load.problem)
                self._listener.repeated(self.experiment, slot, load.problem)
            self._discard(slots)
        took_s = round((time.monotonic() - started_s) / len(slots), 1)
        if slots[0].calibrates:
            self._keep_calibration(loads, took_s)
            return
        made = []
        for slot, load in loads.items():
            assert load.run is not None
            summary = load.run.summary() or {}
            outcome = Outcome(
                slot=slot.number,
                run=self._put_in_place(slot, load.run, self.path),
                valid=not load.problem,
                repeated=tuple(reasons[slot]),
                took_s=took_s,
            )
            made.append((slot, outcome, summary))
        (self.path / STAGE).rmdir()
        experiment = self.experiment
        for _, outcome, _ in made:
            experiment = experiment.with_outcome(outcome)
        self._keep(experiment)
        for told in made:
            self._listener.made(self.experiment, *told)

    def _keep_calibration(self, loads: Mapping[Slot, Load], took_s: float) -> None:
        (self.path / CALIBRATION).mkdir(exist_ok=True)
        names = {
            slot.letter: self._put_in_place(slot, load.run, self.path / CALIBRATION)
            for slot, load in loads.items()
            if load.run is not None
        }
        (self.path / STAGE).rmdir()
        valid = not any(load.problem for load in loads.values())
        found = Calibration(a=names["A"], b=names["B"], valid=valid, took_s=took_s)
        self._keep(replace(self.experiment, calibrated=(*self.experiment.calibrated, found)))

    def _attempt(self, slots: Sequence[Slot], guard: Guard, trees: Worktrees) -> dict[Slot, Load]:
        plan = self.experiment.plan
        try:
            with ExitStack() as stack:
                which = "both servers" if slots[1:] else "the server"
                self._listener.step(self.experiment, slots, f"starting {which}")
                servers = {
                    slot: stack.enter_context(
                        self._server(slot, guard, trees.cwd(Side.BASELINE if slot.calibrates else slot.side))
                    )
                    for slot in slots
                }
                if plan.warm_up_s:
                    self._listener.step(self.experiment, slots, "warming up")
                    self._load_all(servers, plan.warm_up_s, "warm-up", guard)
                self._listener.step(self.experiment, slots, "measuring")
                for server in servers.values():
                    server.measure(plan.run_time_s)
                found = self._load_all(servers, plan.run_time_s, "measured", guard)
                figures = {slot: server.figures() for slot, server in servers.items()}
        except BaseException:
            self._discard(slots)
            raise
        for slot, load in found.items():
            if load.run is not None and (each := figures[slot]) is not None:
                replace_file(load.run.path / SERVER, each.to_json())
        return found

    def _server(self, slot: Slot, guard: Guard, cwd: Path | None) -> Server:
        stage = self._stage(slot)
        stage.mkdir(parents=True)
        return Server(
            self.experiment.plan.build_in(slot),
            letter=slot.letter,
            log=stage / SERVER_LOG,
            guard=guard,
            handshake=self._handshake,
            timeout_s=self.experiment.plan.ready_timeout_s,
            cwd=cwd,
            cores=self._pinning.places(slot.letter, slot.pair).server,
        )

    def _load_all(
        self, servers: Mapping[Slot, Server], run_time_s: float, place: str, guard: Guard
    ) -> dict[Slot, Load]:
        """Loads these servers at the same time, from one process."""

        def check() -> None:
            for server in servers.values():
                server.check()

        first = next(iter(servers))
        loads = self._load(
            self.experiment.plan,
            [
                Target(
                    name=self.experiment.plan.build_in(slot).name,
                    url=server.url,
                    results=self._stage(slot) / place,
                )
                for slot, server in servers.items()
            ],
            run_time_s=run_time_s,
            log=self._stage(first) / f"{place}.log",
            guard=guard,
            check=check,
            cores=self._pinning.places(first.letter, first.pair).load,
        )
        for slot in servers:
            if slot is not first:
                shutil.copyfile(self._stage(first) / f"{place}.log", self._stage(slot) / f"{place}.log")
        return dict(zip(servers, loads, strict=True))

    def _stage(self, slot: Slot) -> Path:
        return self.path / STAGE / slot.letter

    def _put_in_place(self, slot: Slot, run: StoredRun, directory: Path) -> str:
        """Moves the staged run, with its logs, to this directory; returns its name there."""
        logs = {SERVER_LOG: SERVER_LOG, "measured.log": LOCUST_LOG}
        return put_in_place(run.path, self._stage(slot), logs, directory)

    def _discard(self, slots: Sequence[Slot]) -> None:
        for slot in slots:
            name = f"calibration-{slot.pair:02}" if slot.calibrates else f"run-{slot.number:02}"
            self._set_aside(self._stage(slot), f"{name}-{slot.letter}")
        shutil.rmtree(self.path / STAGE, ignore_errors=True)

    def _set_aside(self, what: Path, name: str) -> None:
        """Moves what is not part of the experiment to `DISCARDED`, where it can be inspected."""
        (self.path / DISCARDED).mkdir(exist_ok=True)
        if what.exists():
            what.rename(free(self.path / DISCARDED / name))
