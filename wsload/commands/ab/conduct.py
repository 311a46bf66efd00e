"""Makes the runs of an experiment, one after the other; what was measured is kept, whatever happens."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from wsload.children import Guard
from wsload.commands.ab.experiment import DISCARDED, Experiment, Outcome, StopReason, save
from wsload.commands.ab.plan import Slot
from wsload.commands.harness.builds import handshake_options
from wsload.commands.harness.load import Load, make_load
from wsload.commands.harness.place import free, terminable
from wsload.commands.harness.server import Server
from wsload.commands.harness.worktree import Worktrees
from wsload.errors import NothingMeasured, Untrusted, WsloadError
from wsload.report.comparison.server_figures import SERVER, SERVER_LOG
from wsload.results.reader import StoredRun
from wsload.results.run import replace_file

LOCUST_LOG: Final = "locust.log"
Summary = Mapping[str, Any]
"""The contents of a run's summary.json."""
MOST_INVALID: Final = 4
"""After this many attempts in a row that were not valid the experiment ends: the next would be no better."""
STAGE: Final = ".running"
"""Subdirectory for the current run."""


class ProgressListener(Protocol):
    """Receives progress updates of an experiment."""

    def step(self, experiment: Experiment, slot: Slot, doing: str) -> None:
        """Something begins, such as measuring."""

    def repeated(self, experiment: Experiment, slot: Slot, reason: str) -> None:
        """A run can't be used, and is repeated."""

    def made(self, experiment: Experiment, slot: Slot, outcome: Outcome, summary: Summary) -> None:
        """A run was made."""


class Conductor:
    """Conducts an experiment in its directory, which the caller has locked (`experiment.alone`)."""

    def __init__(
        self,
        path: Path,
        experiment: Experiment,
        *,
        listener: ProgressListener,
        is_clear: Callable[[Experiment], bool],
        environment: Mapping[str, str],
        load: Callable[..., Load] = make_load,
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
        self._handshake = handshake_options(experiment.plan.options, environment)

    def go_on(self) -> None:
        """Makes the remaining runs.

        The experiment is saved after each run, so it may be interrupted at any time: by Ctrl-C or SIGTERM
        (`KeyboardInterrupt`), or by a `WsloadError` when a server fails or Locust does not start.
        """
        with terminable(), Guard() as guard:
            self._tidy()
            self._keep(self.experiment)
            with Worktrees(self.experiment.plan, logs=self.path, guard=guard) as trees:
                for slot in self.experiment.left:
                    self._fill(slot, guard, trees.cwd(slot.side))
                    if self._over_early(slot):
                        self._keep(replace(self.experiment, ended=StopReason.EARLY))
                        break

    def _over_early(self, slot: Slot) -> bool:
        whole = slot.number == 2 * slot.pair and self.experiment.ended is None
        return self.experiment.plan.stop_early and whole and self._is_clear(self.experiment)

    def _keep(self, experiment: Experiment) -> None:
        self.experiment = experiment
        save(self.path, experiment)

    def _tidy(self) -> None:
        """After a break: discards the unfinished run, and the run whose partner is missing."""
        if (self.path / STAGE).exists():
            self._set_aside(self.path / STAGE, "cut-short")
        self.experiment, half = self.experiment.without_half_pair()
        if half is not None:
            self._set_aside(self.path / half.run, half.run)

    def _fill(self, slot: Slot, guard: Guard, cwd: Path | None) -> None:
        """Makes one run, repeats it if it is not valid, and moves it to its place."""
        started_s = time.monotonic()
        reasons: list[str] = []
        while True:
            load = self._attempt(slot, guard, cwd)
            self._invalid = self._invalid + 1 if load.problem and load.run is not None else 0
            if self._invalid == MOST_INVALID:
                self._set_aside(self.path / STAGE, f"run-{slot.number:02}-{slot.letter}")
                raise Untrusted(
                    f"{MOST_INVALID} attempts in a row were not valid, so the experiment was stopped: "
                    f"{load.problem}"
                )
            last = len(reasons) == self.experiment.plan.repeats
            if not load.problem or (last and load.run is not None):
                break
            if last:
                raise WsloadError(f"run {slot.number} ({slot.letter}) failed every time: {load.problem}")
            reasons.append(load.problem)
            self._listener.repeated(self.experiment, slot, load.problem)
            self._set_aside(self.path / STAGE, f"run-{slot.number:02}-{slot.letter}")
        assert load.run is not None
        summary = _summary(load.run)
        name = self._put_in_place(load.run)
        outcome = Outcome(
            slot=slot.number,
            run=name,
            valid=not load.problem,
            repeated=tuple(reasons),
            took_s=round(time.monotonic() - started_s, 1),
        )
        self._keep(self.experiment.with_outcome(outcome))
        self._listener.made(self.experiment, slot, outcome, summary)

    def _attempt(self, slot: Slot, guard: Guard, cwd: Path | None) -> Load:
        plan, build = self.experiment.plan, self.experiment.plan.build(slot.side)
        stage = self.path / STAGE
        stage.mkdir()
        self._listener.step(self.experiment, slot, "starting the server")
        try:
            with Server(
                build,
                letter=slot.letter,
                log=stage / SERVER_LOG,
                guard=guard,
                handshake=self._handshake,
                timeout_s=plan.ready_timeout_s,
                cwd=cwd,
            ) as server:

                def load(run_time_s: float, place: str) -> Load:
                    return self._load(
                        plan,
                        name=build.name,
                        url=server.url,
                        run_time_s=run_time_s,
                        results=stage / place,
                        log=stage / f"{place}.log",
                        guard=guard,
                        check=server.check,
                    )

                if plan.warm_up_s:
                    self._listener.step(self.experiment, slot, "warming up")
                    load(plan.warm_up_s, "warm-up")
                self._listener.step(self.experiment, slot, "measuring")
                server.measure(plan.run_time_s)
                found = load(plan.run_time_s, "measured")
                figures = server.figures()
        except BaseException:
            self._set_aside(stage, f"run-{slot.number:02}-{slot.letter}")
            raise
        if found.run is not None and figures is not None:
            replace_file(found.run.path / SERVER, figures.to_json())
        return found

    def _put_in_place(self, run: StoredRun) -> str:
        """Moves the staged run, with its logs, beside experiment.json; returns its name there."""
        stage = self.path / STAGE
        for log, name in ((stage / SERVER_LOG, SERVER_LOG), (stage / "measured.log", LOCUST_LOG)):
            if log.is_file():
                log.replace(run.path / name)
        place = free(self.path / run.path.name)
        run.path.rename(place)
        shutil.rmtree(stage)
        return place.name

    def _set_aside(self, what: Path, name: str) -> None:
        """Moves what is not part of the experiment to `DISCARDED`, where it can be inspected."""
        (self.path / DISCARDED).mkdir(exist_ok=True)
        if what.exists():
            what.rename(free(self.path / DISCARDED / name))


def _summary(run: StoredRun) -> Summary:
    """The run's summary; empty if it left none.

    Raises `NothingMeasured` for a run without any answer: the next would be no better.
    """
    summary = run.summary()
    if summary is None:
        return {}
    if not summary["metrics"].keys() & {"open", "message"}:
        failures = summary["failures"]
        most = max(failures, key=failures.__getitem__, default="no user opened a connection")
        raise NothingMeasured(f"the load got no answer from the server: {most}")
    return summary
