"""Makes the steps of a search, one after the other; what was measured is kept, whatever happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from wsload.children import Guard
from wsload.commands.capacity.plan import Search, Turn
from wsload.commands.capacity.record import save
from wsload.commands.harness.builds import handshake_options
from wsload.commands.harness.load import Load, Target, make_load
from wsload.commands.harness.pinning import Pinning, available
from wsload.commands.harness.place import LOCUST_LOG, STAGE, conducted, free, put_in_place
from wsload.commands.harness.server import Server
from wsload.commands.harness.worktree import Worktrees
from wsload.errors import NothingMeasured, ServerFailed
from wsload.judge.capacity.offered import Made, Wanted, per_offer
from wsload.judge.capacity.search import Outcome
from wsload.judge.capacity.step import StepFigures, enough_s, judged, percentiles
from wsload.judge.figures.summary import summarize
from wsload.judge.run.standing import verdict_of
from wsload.measure.interval import Totals
from wsload.results.files import replace_file
from wsload.results.reader import StoredRun
from wsload.results.server_figures import SERVER, SERVER_LOG, ServerFigures
from wsload.results.trust import ALL, Standing
from wsload.results.window import Stretch

UNFINISHED: Final = "unfinished"
"""Name of what a break left behind."""
MIN_STEADY_S: Final = 0.9
"""A rate is only judged over about a second at least: runs are recorded by the second."""


class SearchListener(Protocol):
    """Receives progress updates of a search."""

    def step(self, search: Search, turn: Turn, doing: str) -> None:
        """Something begins, such as measuring."""

    def made(self, search: Search, turn: Turn, figures: StepFigures) -> None:
        """A step was made; it is part of the search."""


class Searcher:
    """Conducts a search in its directory, which the caller has locked (`wsload.commands.harness.place.alone`)."""

    def __init__(
        self,
        path: Path,
        search: Search,
        *,
        listener: SearchListener,
        environment: Mapping[str, str],
        load: Callable[..., list[Load]] = make_load,
    ) -> None:
        """``environment`` holds Locust's environment variables."""
        self.path = path
        self.search = search
        """With the steps made so far."""
        self._listener = listener
        self._load = load
        self._pinning = Pinning(search.plan.pin, available(), at_once=False)
        self._handshake = handshake_options(search.plan.options, environment)

    def go_on(self) -> None:
        """Makes the remaining steps.

        The search is saved after each, so it may be interrupted at any time: by Ctrl-C or SIGTERM
        (`KeyboardInterrupt`), or by a `WsloadError` when a server fails, Locust does not start or the disk is full.
        """
        with conducted(self.path), Guard() as guard:
            self._set_aside()
            save(self.path, self.search)
            with Worktrees(self.search.plan, logs=self.path, guard=guard) as trees:
                while (turn := self.search.turn()) is not None:
                    figures = self._make(turn, guard, trees.cwd(turn.side))
                    search = self.search.with_step(turn.side, figures)
                    save(self.path, search)
                    self.search = search
                    self._listener.made(self.search, turn, figures)

    def _make(self, turn: Turn, guard: Guard, cwd: Path | None) -> StepFigures:
        plan, build = self.search.plan, self.search.plan.build(turn.side)
        places = self._pinning.places(turn.letter, turn.number)
        began_s = time.monotonic()
        stage = self.path / STAGE
        stage.mkdir()
        found, crashed = Load(run=None, problem=""), ""
        self._listener.step(self.search, turn, "starting the server" if build.command else "connecting")
        try:
            with Server(
                build,
                letter=turn.letter,
                log=stage / SERVER_LOG,
                guard=guard,
                handshake=self._handshake,
                timeout_s=plan.ready_timeout_s,
                cwd=cwd,
                cores=places.server,
            ) as server:
                self._listener.step(self.search, turn, "measuring")
                run_time_s = self.search.run_time_of(turn)
                server.measure(run_time_s)
                try:
                    (found,) = self._load(
                        plan.load(turn.rate),
                        [Target(name=build.name, url=server.url, results=stage / "measured")],
                        run_time_s=run_time_s,
                        log=stage / LOCUST_LOG,
                        guard=guard,
                        check=server.check,
                        cores=places.load,
                    )
                except ServerFailed as error:
                    if not self.search.made:
                        raise
                    crashed = str(error)
                served = server.figures()
        except BaseException:
            self._set_aside()
            raise
        figures = self._crashed(turn, crashed) if crashed else self._figures(turn, found, served, run_time_s)
        name = self._put_in_place(found.run, served)
        return replace(figures, run=name, took_s=round(time.monotonic() - began_s, 1))

    def _crashed(self, turn: Turn, how: str) -> StepFigures:
        """A server that ends under a load does not hold it."""
        return StepFigures(rate=turn.rate, number=turn.number, outcome=Outcome.FAILS, reason=how)

    def _figures(
        self, turn: Turn, found: Load, served: ServerFigures | None, run_time_s: float
    ) -> StepFigures:
        if found.run is None:
            return StepFigures(
                rate=turn.rate, number=turn.number, outcome=Outcome.UNTRUSTED, reason=found.problem
            )
        info, made = found.run.info, _made(found.run, run_time_s)
        summary = summarize(made.window)
        self._refuse_nothing(info.trust.standing if info.trust else Standing.INCOMPLETE, found.run)
        checks = self.search.plan.checks
        outcome, reason, remedy = judged(
            info,
            found.run.problems,
            made,
            leading=summary.leading or "",
            checks=checks,
            wanted=self._wanted(turn),
        )
        p50_ns, p99_ns, p99_9_ns = percentiles(summary)
        return StepFigures(
            rate=turn.rate,
            number=turn.number,
            outcome=outcome,
            reason=reason,
            remedy=remedy,
            enough_s=enough_s(info, made.window, checks) if outcome is Outcome.FEW else 0.0,
            achieved=round(made.answered, 3),
            p50_ns=p50_ns,
            p99_ns=p99_ns,
            p99_9_ns=p99_9_ns,
            trusted_up_to=info.trust.up_to.get(summary.leading or "", ALL) if info.trust else ALL,
            lost=summary.counters.get("lost", 0),
            failures=sum(summary.failures.values()),
            cpu_share=None
            if served is None
            else max((each.cpu_share for each in served.samples), default=0.0),
            memory_bytes=None if served is None else served.memory_peak_bytes,
        )

    def _refuse_nothing(self, standing: Standing, run: StoredRun) -> None:
        """Raises `NothingMeasured` where the very first step got no answer: the next would be no better."""
        if not self.search.made and standing in (Standing.NOTHING, Standing.FAILED):
            raise NothingMeasured(
                f"the first step got no answer from the server: {verdict_of(run.info, standing)}"
            )

    def _wanted(self, turn: Turn) -> Wanted:
        """The load of a step, and what the steps of this side that held had of theirs."""
        plan = self.search.plan
        return Wanted(
            users=plan.load(turn.rate).users,
            per_second=plan.per_second(turn.rate),
            poisson=plan.poisson,
            per_offer=per_offer(
                (step.achieved, plan.per_second(step.rate) or step.rate, plan.measured_s(step.rate))
                for step in self.search.of(turn.side)
                if step.outcome is Outcome.HOLDS
            ),
        )

    def _put_in_place(self, run: StoredRun | None, served: ServerFigures | None) -> str:
        """Moves the staged run, with its logs, beside capacity.json; returns its name there."""
        stage = self.path / STAGE
        if run is None:
            self._set_aside()
            return ""
        if served is not None:
            replace_file(run.path / SERVER, served.to_json())
        return put_in_place(run.path, stage, {log: log for log in (SERVER_LOG, LOCUST_LOG)}, self.path)

    def _set_aside(self) -> None:
        """Moves what is not part of the search to where it can be inspected."""
        if (self.path / STAGE).exists():
            (self.path / STAGE).rename(free(self.path / UNFINISHED))


def _made(run: StoredRun, run_time_s: float) -> Made:
    """What a run recorded. After its run time no more tasks come due, and outstanding answers are waited for."""
    steady = run.totals(Stretch(to_s=run_time_s))
    return Made(
        whole=Totals.of(run.intervals()),
        window=run.totals(),
        steady=steady if steady.duration_s >= MIN_STEADY_S else None,
    )
