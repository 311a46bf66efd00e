"""One run of a setting: a fresh server with a truth file, the real ``locust`` command, and the results of both."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from wsload.children import Command, Guard, isolated_environment
from wsload.commands.selftest.settings import Setting
from wsload.commands.selftest.truth import Times
from wsload.errors import WsloadError
from wsload.exit_codes import ExitCode
from wsload.load.engine.timers import TimerQueue
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Totals
from wsload.protocols.chat.conversation import token
from wsload.results.reader import StoredRun, find_runs, open_run
from wsload.results.run import RunInfo
from wsload.server.process import ServerProcess

LOCUSTFILE: Final = Path(__file__).with_name("locustfile.py")
DUE_TIMES: Final = "due_times.json"
"""Written by the locustfile, beside itself."""
SPARE_S: Final = 60
"""How much longer than its run time locust may take before it is killed."""
EXIT_CODES: Final = (ExitCode.OK, ExitCode.FAILED, ExitCode.UNTRUSTED)
"""Those of a run that left results: passed, with failures, or not valid."""
TICK_S: Final = 0.2
"""How often the caller hears that a run is still going on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posts:
    """The server's account of each post, in order of arrival; arrays of shape (n,), times in ns.

    All times are of one clock, since client and server share the host.
    """

    sender: Times
    """The sender's number."""
    number: Times
    """The post's number among its sender's, from 0."""
    sent: Times
    """When the client sent it, as its token says."""
    received: Times
    """When it reached the server."""
    wait: Times
    """How long a fault delayed it."""
    answered: Times
    """When its answer was written; 0 for one that was dropped."""

    def where(self, chosen: object) -> Posts:
        """The posts that a mask or an array of indices selects."""
        return Posts(**{name: getattr(self, name)[chosen] for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The results of both sides of a run."""

    setting: Setting
    posts: Posts
    due_ns: Times
    """When each post was due by wsload's schedule, in that order; shape (n,)."""
    account: dict[str, int]
    """The server's totals, see `wsload.server.account.Account`."""
    info: RunInfo
    """run.json."""
    totals: Totals
    """What wsload recorded, read back from the results directory."""

    def lag_p99_ns(self, metric: str) -> int:
        """How late wsload was, as it measured itself: ``send_lag`` or ``loop_lag``."""
        return self.totals.histograms.get(metric, Histogram()).percentile(99)


def run_trial(setting: Setting, *, tick: Callable[[], None] = lambda: None) -> Trial:
    """Runs a setting once; ``tick`` is called every `TICK_S`.

    Raises `WsloadError` when the server or locust failed.
    """
    with tempfile.TemporaryDirectory(prefix="wsload-selftest-") as name:
        directory = Path(name)
        truth = directory / "truth.jsonl"
        faults = [word for fault in setting.faults for word in ("--fault", fault)]
        with ServerProcess(*faults, "--truth", str(truth)) as server:
            run = run_locust(
                setting.arguments, seconds=setting.seconds, host=server.url, directory=directory, tick=tick
            )
        if server.account is None:
            raise WsloadError(f"the chat server left no account: {server.errors or 'it wrote nothing'}")
        posts = read_posts(truth)
        if not len(posts.sent):
            raise WsloadError("no post reached the chat server")
        return Trial(
            setting=setting,
            posts=posts,
            due_ns=np.array(json.loads((directory / DUE_TIMES).read_bytes()), dtype=np.int64),
            account=server.account,
            info=run.info,
            totals=run.totals(),
        )


def run_locust(
    arguments: Sequence[str],
    *,
    seconds: int,
    host: str,
    directory: Path,
    tick: Callable[[], None] = lambda: None,
) -> StoredRun:
    """Runs the selftest's locustfile headless, with these further arguments; returns its results.

    ``directory`` must not hold results yet. Raises `WsloadError` if locust left no results, or did not end.
    """
    shutil.copy(LOCUSTFILE, directory / "locustfile.py")
    fixed = ("-f", "locustfile.py", "--headless", "--only-summary", "--ws-results", "results")
    run = ("--host", host, "-t", f"{seconds}s")
    with Guard() as guard:
        child = Command(
            [sys.executable, "-m", "locust", *fixed, *run, *arguments],
            what="locust",
            log=directory / "locust.log",
            guard=guard,
            cwd=directory,
            env=isolated_environment(directory),
        )
        try:
            deadline = time.monotonic() + seconds + SPARE_S
            while not child.wait(TICK_S):
                if time.monotonic() > deadline:
                    raise WsloadError("locust did not end")
                tick()
        finally:
            child.stop()
    results = directory / "results"
    if child.returncode not in EXIT_CODES or not results.is_dir():
        said = child.tail(1) or "it wrote nothing"
        raise WsloadError(f"locust ended with exit code {child.returncode}: {said}")
    return open_run(find_runs(results)[-1])


def read_posts(truth: Path) -> Posts:
    """The posts of a truth file, see `wsload.server.account`; those without a token are left out."""
    senders: dict[str, int] = {}
    rows = []
    with truth.open(encoding="ascii") as lines:
        for line in lines:
            found = json.loads(line)
            if found["kind"] != "post" or found["token"] is None:
                continue
            mark = found["token"]
            sender = senders.setdefault(mark[token.SENDER], len(senders))
            number, sent = int(mark[token.NUMBER], 16), int(mark[token.SENT], 16)
            rows.append((sender, number, sent, found["received_ns"], found["wait_ns"], found["sent_ns"] or 0))
    columns = np.array(rows, dtype=np.int64).reshape(-1, 6).T
    return Posts(**dict(zip(Posts.__slots__, columns, strict=True)))


def timer_kind() -> str:
    """What wakes the engine at due times on this system, see `wsload.load.engine.timers`."""
    loop = asyncio.new_event_loop()
    timers = TimerQueue(loop)
    try:
        return timers.kind
    finally:
        timers.close()
        loop.close()
