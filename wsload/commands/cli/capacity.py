"""``wsload capacity``: finds the highest load at which checks hold, of one build or of two."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from wsload.commands.cli.compare import Format, FormatOption
from wsload.commands.cli.experiments import (
    SERVER_URL,
    BaselineRef,
    Candidate,
    CandidateName,
    CandidateRef,
    Locustfile,
    Pin,
    ReadyTimeout,
    ServerUrl,
    Setup,
    enter,
    existing,
    locust_options,
    only_plan,
    refuse_changes,
    side,
    to_resume,
    whole_s,
)
from wsload.commands.cli.gate import duration_s, percent
from wsload.commands.cli.options import check_options
from wsload.commands.cli.output import say
from wsload.commands.cli.runs import RESULTS, Results
from wsload.commands.cli.searching import conduct, searched
from wsload.errors import UsageError
from wsload.exit_codes import ExitCode

if TYPE_CHECKING:
    from wsload.commands.harness.builds import Build

_ON_RESUME: Final = ("resume", "results", "format_")


def capacity(
    context: typer.Context,
    options: Annotated[list[str] | None, locust_options("--processes 2")] = None,
    locustfile: Locustfile = "locustfile.py",
    host: Annotated[
        str,
        typer.Option("--host", "-H", metavar="URL", help="The URL of a running server.", show_default=False),
    ] = "",
    serve: Annotated[
        str,
        typer.Option(
            metavar="COMMAND",
            help="Starts a fresh server for each step; contains {port}. With refs: starts it there.",
            show_default=False,
        ),
    ] = "",
    check: Annotated[
        list[str] | None,
        typer.Option(
            "--check",
            metavar="CHECK",
            help="A check that must pass, such as 'message.p99 < 50ms' or 'lost < 1'; repeatable.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        str,
        typer.Option(
            metavar="LOW..HIGH",
            help="The range of request rates to search, in requests per second; with a range of --users, a single "
            "number: the rate per user.",
            show_default=False,
        ),
    ] = "",
    users: Annotated[
        str,
        typer.Option(
            "--users",
            "-u",
            metavar="N|LOW..HIGH",
            help="Users in each step, or the range of user counts to search. Default: 50.",
            show_default=False,
        ),
    ] = "",
    poisson: Annotated[
        bool, typer.Option("--poisson", help="Requests are sent at random times (a Poisson process).")
    ] = False,
    precision: Annotated[
        str,
        typer.Option(metavar="PERCENT", help="End when the capacity is known to within this, up or down."),
    ] = "5%",
    steps: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="At most this many steps of each build count; with those that say nothing about the server, at most "
            "twice as many are made.",
        ),
    ] = 14,
    run_time: Annotated[
        str,
        typer.Option(
            "--run-time",
            "-t",
            metavar="TIME",
            help="How long each step is measured; longer where checks need it.",
        ),
    ] = "10s",
    warm_up: Annotated[
        str, typer.Option(metavar="TIME", help="How much of each step is discarded after its ramp.")
    ] = "2s",
    ramp: Annotated[
        str, typer.Option(metavar="TIME", help="How long each step takes to start all its users.")
    ] = "1s",
    a: Annotated[
        str,
        typer.Option(
            "--a",
            metavar="COMMAND|URL",
            help="To compare two builds, the baseline: a command with {port}, or a URL.",
            show_default=False,
        ),
    ] = "",
    b: Candidate = "",
    a_ref: BaselineRef = "",
    b_ref: CandidateRef = "",
    build: Setup = "",
    a_name: Annotated[
        str,
        typer.Option("--a-name", "--name", metavar="LABEL", help="The baseline's label.", show_default=False),
    ] = "",
    b_name: CandidateName = "",
    url: ServerUrl = SERVER_URL,
    pin: Pin = "",
    ready_timeout: ReadyTimeout = "30s",
    plan_only: Annotated[bool, only_plan("steps")] = False,
    resume: Annotated[Path | None, to_resume("search")] = None,
    results: Results = RESULTS,
    format_: FormatOption = Format.TERMINAL,
) -> int:
    """Find the highest load at which all checks pass, or which of two builds sustains more.

    \b
    A command:  wsload capacity --serve 'node server.js --port {port}' \\
                  -f locustfiles/chat.py --rate 100..20000 \\
                  --check 'message.p99 < 50ms' --check 'lost < 1'
    A server:   wsload capacity --host wss://chat.test -f locustfiles/chat.py \\
                  --users 100..20000 --check 'message.p99 < 50ms'
    Two builds: wsload capacity --a 'node server.js --port {port}' \\
                  --b 'node new/server.js --port {port}' \\
                  -f locustfiles/chat.py --rate 100..20000 \\
                  --check 'message.p99 < 50ms'

    Each step is a Locust run, with a fresh server if a command starts it, and begins once that server is ready (see
    wsload ab --help). The search starts at LOW and doubles the load (or more, in a wide range) until a check fails.
    From then on, each step uses the load at which passing and failing are equally likely, so that later steps
    correct a misleading one. The result is an interval; docs/inside/capacity-simulation.md says how often it covers
    the capacity. Two builds are searched in turn, so that drift affects both.

    A step also fails when the server answers less than 90 % of the load, or turns users away.

    A step that can't be trusted, because the load generator itself was late, is repeated. If that does not help,
    one step is made at a higher load, where an overloaded server shows despite the lateness. If that can't be
    trusted either, the result is the highest load that passed: a lower bound, since the load generator was the limit.
    A step with too few values for its checks is repeated at a higher load or for longer.

    Everything goes into one directory, results/capacity-<time>: the runs, and capacity.html. Ctrl-C keeps the steps
    made so far, and --resume continues.

    Exit codes: 0 found, the checks pass at HIGH, or B shown to sustain at most a tenth less; 1 the checks fail at LOW
    (with two builds: of both), or B sustains less; 2 usage; 3 the load generator reached its limit first; 4 less
    precise than requested, too few values, inconclusive or interrupted; 5 nothing was answered; 6 a server did not
    start, or exited in the first step; 7 wsload itself failed, or the disk is full.
    """
    from wsload.commands.capacity.plan import CapacityPlan, Search
    from wsload.commands.capacity.record import load
    from wsload.commands.harness.place import alone, new_directory

    if resume is not None:
        refuse_changes(context, _ON_RESUME)
        place = (resume if resume.is_dir() else results / resume).resolve()
        with alone(place):
            search = load(place)
            enter(search.plan.directory)
            return conduct(place, search, format_=format_)
    two = any((a, b, a_ref, b_ref))
    if two and host:
        raise UsageError("--host is for one build: give --a and --b, or --host")
    if two:
        first = side("a", a, a_ref, a_name, build, serve, url)
        second = side("b", b, b_ref, b_name, build, serve, url)
    plan = CapacityPlan(
        a=first if two else _only(host, serve, a_name, url),
        b=second if two else None,
        locustfile=existing(locustfile),
        checks=tuple(check or ()),
        poisson=poisson,
        run_time_s=whole_s("--run-time", run_time),
        warm_up_s=whole_s("--warm-up", warm_up),
        ramp_s=whole_s("--ramp", ramp),
        pin=pin,
        ready_timeout_s=duration_s("--ready-timeout", ready_timeout),
        options=tuple(options or ()),
        directory=str(Path.cwd()),
        **searched(rate, users, percent("--precision", precision), steps),
    )
    check_options(plan.options)
    from wsload.commands.capacity.progress import forecast

    for line in forecast(plan):
        say(line)
    if plan_only:
        return ExitCode.OK
    now = time.time()
    path = new_directory(results, now, "capacity")
    with alone(path):
        return conduct(path, Search(plan=plan, created_at=round(now, 3)), format_=format_)


def _only(host: str, serve: str, name: str, url: str) -> Build:
    """The one build that is searched."""
    from wsload.commands.harness.builds import build_of, started

    if bool(host) == bool(serve):
        raise UsageError(
            "give --host (the URL of a running server), --serve (a command that starts one), or --a and --b"
        )
    if host:
        return build_of(host, name=name or "dev", url=url, option="--host")
    return started(serve, name=name or "dev", url=url, option="--serve")
