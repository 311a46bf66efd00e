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
from wsload.judge.capacity.search import Outcome
from wsload.judge.capacity.step import StepFigures, answered, judged, percentiles
from wsload.judge.compare.pairs import Side
from wsload.judge.figures.summary import summarize
from wsload.judge.run.standing import verdict_of
from wsload.results.files import replace_file
from wsload.results.reader import StoredRun
from wsload.results.server_figures import SERVER, SERVER_LOG, ServerFigures
from wsload.results.trust import ALL, Standing

UNFINISHED: Final = "unfinished"
"""Name of what a break left behind."""


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
                run_time_s = plan.run_time_of(turn.rate)
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
        figures = self._crashed(turn, crashed) if crashed else self._figures(turn, found, served)
        name = self._put_in_place(found.run, served)
        return replace(figures, run=name, took_s=round(time.monotonic() - began_s, 1))

    def _crashed(self, turn: Turn, how: str) -> StepFigures:
        """A server that ends under a load does not hold it."""
        return StepFigures(rate=turn.rate, number=turn.number, outcome=Outcome.FAILS, reason=how)

    def _figures(self, turn: Turn, found: Load, served: ServerFigures | None) -> StepFigures:
        if found.run is None:
            return StepFigures(
                rate=turn.rate, number=turn.number, outcome=Outcome.UNTRUSTED, reason=found.problem
            )
        info, totals = found.run.info, found.run.totals()
        summary = summarize(totals)
        self._refuse_nothing(info.trust.standing if info.trust else Standing.INCOMPLETE, found.run)
        outcome, reason, remedy = judged(
            info,
            found.run.problems,
            totals,
            summary,
            checks=self.search.plan.checks,
            offered=self.search.plan.per_second(turn.rate) or turn.rate,
            per_offer=self._per_offer(turn.side),
        )
        p50_ns, p99_ns, p99_9_ns = percentiles(summary)
        return StepFigures(
            rate=turn.rate,
            number=turn.number,
            outcome=outcome,
            reason=reason,
            remedy=remedy,
            achieved=round(answered(summary), 3),
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

    def _per_offer(self, side: Side) -> float | None:
        """Answers for each request offered, in that step of this side which held with the fewest."""
        plan = self.search.plan
        held = [step for step in self.search.of(side) if step.outcome is Outcome.HOLDS]
        return min((step.achieved / (plan.per_second(step.rate) or step.rate) for step in held), default=None)

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
