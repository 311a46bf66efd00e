"""``wsload ab``: measures two builds of a server, and compares them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from wsload.commands.cli.compare import Format, FormatOption
from wsload.commands.cli.conducting import conduct, print_plan
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
from wsload.commands.cli.gate import (
    FailuresWithin,
    Judged,
    MinRatio,
    MinShift,
    SameWithin,
    duration_s,
    gate_of,
    percent,
)
from wsload.commands.cli.options import check_options
from wsload.commands.cli.runs import RESULTS, Results
from wsload.errors import UsageError
from wsload.exit_codes import ExitCode

PAIRS_PER_CALIBRATION: Final = 8
TOGETHER_TIME: Final = "12s"
"""With the other defaults, an experiment takes less than four minutes."""
ALONE_TIME: Final = "30s"
_ON_RESUME: Final = ("resume", "more", "results", "format_")


def ab(
    context: typer.Context,
    options: Annotated[list[str] | None, locust_options("--ws-rate 1000")] = None,
    a: Annotated[
        str,
        typer.Option(
            "--a",
            metavar="COMMAND|URL",
            help="The baseline: a command with {port} that starts its server, or the URL of a running server.",
            show_default=False,
        ),
    ] = "",
    b: Candidate = "",
    a_ref: BaselineRef = "",
    b_ref: CandidateRef = "",
    build: Setup = "",
    serve: Annotated[
        str,
        typer.Option(
            metavar="COMMAND",
            help="With refs: the command that starts the server in each worktree; contains {port}.",
            show_default=False,
        ),
    ] = "",
    a_name: Annotated[
        str, typer.Option(metavar="LABEL", help="The baseline's label.", show_default=False)
    ] = "",
    b_name: CandidateName = "",
    url: ServerUrl = SERVER_URL,
    locustfile: Locustfile = "locustfile.py",
    users: Annotated[
        int,
        typer.Option(
            "--users", "-u", metavar="N", help="Users in each run; side by side, each build has as many."
        ),
    ] = 50,
    spawn_rate: Annotated[
        float | None,
        typer.Option(
            "--spawn-rate",
            "-r",
            metavar="R",
            help="Users started per second. Default: all of them in a tenth of the run time.",
            show_default=False,
        ),
    ] = None,
    run_time: Annotated[
        str | None,
        typer.Option(
            "--run-time",
            "-t",
            metavar="TIME",
            help="Length of each measured run. Default: 12s side by side, 30s one at a time.",
            show_default=False,
        ),
    ] = None,
    warm_up: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Length of the warm-up before each run, on the same server; it is discarded. 0s for none.",
        ),
    ] = "5s",
    pairs: Annotated[int, typer.Option(metavar="N", help="Pairs of runs, one of A and one of B.")] = 10,
    side_by_side: Annotated[
        bool | None,
        typer.Option(
            "--side-by-side/--one-at-a-time",
            help="Make the two runs of a pair at the same time, so that other activity on the machine affects both, or "
            "one after the other. Default: side by side, except for two URLs on one host, and for a load that "
            "needs several processes.",
            show_default=False,
        ),
    ] = None,
    calibrate: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Side by side: add N pairs with A on both sides. If their sides differ by more than chance explains, "
            "all bounds are widened to allow for it. Default: 1 for every 8 pairs; none where A is a URL.",
            show_default=False,
        ),
    ] = None,
    pin: Pin = "",
    stop_early: Annotated[
        bool,
        typer.Option(
            "--stop-early",
            help="Check after each pair, and stop as soon as the verdict is clear. The statistics account for this: "
            "it does not make false alarms more likely.",
        ),
    ] = False,
    power: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            help="First print how many pairs it takes to detect a slowdown of this size.",
            show_default=False,
        ),
    ] = None,
    plan_only: Annotated[bool, only_plan("runs")] = False,
    repeat: Annotated[
        int, typer.Option(metavar="N", help="How many times to repeat a run that is not valid.")
    ] = 2,
    ready_timeout: ReadyTimeout = "30s",
    resume: Annotated[Path | None, to_resume("experiment")] = None,
    more: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="With --resume: add pairs to a finished experiment. The statistics account for this: it does not "
            "make false alarms more likely.",
            show_default=False,
        ),
    ] = None,
    results: Results = RESULTS,
    min_ratio: MinRatio = None,
    min_shift: MinShift = None,
    same_within: SameWithin = None,
    failures_within: FailuresWithin = None,
    judged: Judged = None,
    format_: FormatOption = Format.TERMINAL,
) -> int:
    """Measure two builds of a server, and tell whether B is slower than A.

    \b
    Two commands:  wsload ab --a 'node server.js --port {port}' \\
                     --b 'node new/server.js --port {port}' \\
                     -f locustfiles/chat.py -u 200 -t 30s --pairs 10
    Two git refs:  wsload ab --a-ref v1 --b-ref HEAD --build 'npm ci' \\
                     --serve 'node server.js --port {port}' \\
                     -f locustfiles/chat.py -u 200
    Two servers:   wsload ab --a wss://old.test --b wss://new.test \\
                     -f locustfiles/chat.py

    Each run gets its own server, and starts once that server answers a WebSocket handshake at --url. A server that
    refuses the handshake with a status below 500 counts as ready too, since the user class may set another URL or
    subprotocol; to wait for the very handshake that the users make, give -- --ws-url URL --ws-subprotocol NAME.

    The two runs of a pair are made at the same time by one process, or, with --one-at-a-time, in the order A B B A
    A B B A…, so that other activity on the machine affects both builds equally. Only percentiles that can be
    trusted are used. A run with none is not valid: it is repeated (side by side, with its partner), and left out if
    it still has none. After six such attempts in a row the experiment ends, and the verdict is based on the runs
    made so far. A build that answers nothing at all in a run is broken: that ends the experiment at once.

    Commands are run without a shell and stored in experiment.json: pass secrets in the
    environment.

    Everything goes into one directory, results/ab-<time>: the runs, each with the server's log, CPU and
    memory, and comparison.html. Ctrl-C keeps what was measured, and --resume continues, from any directory.
    If the result is inconclusive, --resume EXPERIMENT --more N adds pairs.

    Exit codes: 0 shown not to be slower by more than --same-within, nor to fail more; 1 shown to be slower
    or to fail more; 2 usage; 3 no valid runs, or ended after six invalid attempts without B shown to be
    slower; 4 inconclusive or interrupted; 5 a build answered nothing in a run; 6 a server did not start, or
    exited during the load; 7 wsload itself failed, or the disk is full.
    """
    from wsload.commands.ab.experiment import Experiment, load
    from wsload.commands.ab.plan import ExperimentPlan, fit_together
    from wsload.commands.harness.place import alone, new_directory
    from wsload.judge.compare.verdict import Gate

    if resume is not None:
        refuse_changes(context, _ON_RESUME)
        place = (resume if resume.is_dir() else results / resume).resolve()
        with alone(place):
            experiment = load(place)
            if more is not None:
                experiment = experiment.extended(more)
            enter(experiment.plan.directory)
            return conduct(place, experiment, format_=format_)
    if more is not None:
        raise UsageError("--more adds pairs to an experiment: name it with --resume")
    one = side("a", a, a_ref, a_name, build, serve, url)
    other = side("b", b, b_ref, b_name, build, serve, url)
    together = fit_together(one, other, tuple(options or ())) if side_by_side is None else side_by_side
    length_s = whole_s("--run-time", run_time or (TOGETHER_TIME if together else ALONE_TIME))
    plan = ExperimentPlan(
        a=one,
        b=other,
        locustfile=existing(locustfile),
        users=users,
        spawn_rate=spawn_rate if spawn_rate is not None else max(round(10 * users / length_s, 2), 1.0),
        run_time_s=length_s,
        warm_up_s=whole_s("--warm-up", warm_up),
        pairs=pairs,
        repeats=repeat,
        side_by_side=together,
        calibrations=(pairs if together and one.command else 0) // PAIRS_PER_CALIBRATION
        if calibrate is None
        else calibrate,
        pin=pin,
        stop_early=stop_early,
        ready_timeout_s=duration_s("--ready-timeout", ready_timeout),
        options=tuple(options or ()),
        gate=gate_of(
            Gate(),
            min_ratio=min_ratio,
            min_shift=min_shift,
            same_within=same_within,
            failures_within=failures_within,
            judged=judged,
        ),
        directory=str(Path.cwd()),
    )
    check_options(plan.options)
    print_plan(plan, None if power is None else percent("--power", power))
    if plan_only:
        return ExitCode.OK
    now = time.time()
    path = new_directory(results, now)
    with alone(path):
        return conduct(path, Experiment(plan=plan, created_at=round(now, 3)), format_=format_)
