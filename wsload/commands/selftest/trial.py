"""One run of a setting: a fresh server with a truth file, the real ``locust`` command, and what both left."""

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
DUES: Final = "dues.json"
"""What the locustfile leaves beside itself."""
SPARE_S: Final = 60
"""A locust that runs so much longer than it was told is killed."""
EXIT_CODES: Final = (ExitCode.OK, ExitCode.FAILED, ExitCode.UNTRUSTED)
"""A run with its results, with failures, or not valid."""
TICK_S: Final = 0.2
"""So often whoever waits for a run is told that it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posts:
    """The server's account of each post it got, in the order of arrival; arrays of shape (n,), ns.

    All times are of one clock, since client and server share the host.
    """

    sender: Times
    """A number for each sender."""
    number: Times
    """The sender's count, from 0."""
    sent: Times
    """When the client sent it, as its token says."""
    received: Times
    """When it reached the server."""
    wait: Times
    """How long it was made to wait on purpose."""
    answered: Times
    """When its answer was written; 0 for one that was dropped."""

    def where(self, chosen: object) -> Posts:
        """Only the posts that a mask or an order of places chooses."""
        return Posts(**{name: getattr(self, name)[chosen] for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a run left on both sides."""

    setting: Setting
    posts: Posts
    dues: Times
    """When wsload's schedule wanted each post sent, in that order; shape (n,), ns."""
    account: dict[str, int]
    """The server's totals, see `wsload.server.account.Account`."""
    info: RunInfo
    """run.json."""
    totals: Totals
    """What wsload recorded, read back from the results directory."""

    def lag_p99_ns(self, metric: str) -> int:
        """How late wsload was by its own account: ``send_lag`` or ``loop_lag``."""
        return self.totals.histograms.get(metric, Histogram()).percentile(99)


def run_trial(setting: Setting, *, tick: Callable[[], None] = lambda: None) -> Trial:
    """Runs a setting once; ``tick`` is called every `TICK_S`.

    Raises `WsloadError` when the server or locust did not do its part.
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
            raise WsloadError(f"the chat server left no account: {server.errors or 'it said nothing'}")
        posts = read_posts(truth)
        if not len(posts.sent):
            raise WsloadError("not one post reached the chat server")
        return Trial(
            setting=setting,
            posts=posts,
            dues=np.array(json.loads((directory / DUES).read_bytes()), dtype=np.int64),
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
    """Runs the selftest's locustfile, headless, with these further arguments; returns its results.

    They are in ``directory``, where there are no others yet. Raises `WsloadError` when locust
    ended in any other way than with results, or did not end.
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
        said = child.tail(1) or "it said nothing"
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
    """By which clock due times are kept on this system, see `wsload.load.engine.timers`."""
    loop = asyncio.new_event_loop()
    timers = TimerQueue(loop)
    try:
        return timers.kind
    finally:
        timers.close()
        loop.close()
