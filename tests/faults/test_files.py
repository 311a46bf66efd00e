"""Results directories that mean no good, and places that can't be written: one line and an exit code, never a hang."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import zlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from faults.scene import SECRET, USERS, Account, assert_sound
from support.certificates import Certificates
from support.locust_run import LocustRun
from support.made_runs import make_run, second
from support.serving import Serving
from support.stored_runs import SERVED, store_run

from wsload.children import isolated_environment
from wsload.measure.histogram import Histogram
from wsload.results.run import RunWarning
from wsload.results.trust import Standing, Trust

LIMIT_S = 60


def damaged(name: str, edit: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        (run / name).write_bytes(edit((run / name).read_bytes()))

    return damage


def member(**changes: object) -> Callable[[bytes], bytes]:
    return lambda data: json.dumps({**json.loads(data), **changes}).encode()


def trusted_up_to(percentile: object) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        trust = json.loads(data)["trust"]
        return member(trust={**trust, "up_to": {"message": percentile}})(data)

    return edit


def nested(depth: int) -> Callable[[bytes], bytes]:
    deep = b"[" * depth + b"]" * depth
    return lambda data: data.replace(b'"options": {', b'"options": {"ws_deep": ' + deep + b", ", 1)


def fifo(name: str) -> Callable[[Path], None]:
    def replace(run: Path) -> None:
        (run / name).unlink()
        os.mkfifo(run / name)

    return replace


def served(edit: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def add(run: Path) -> None:
        (run / "server.json").write_bytes(edit(SERVED.to_json()))

    return add


def link(name: str, to: str) -> Callable[[Path], None]:
    def replace(run: Path) -> None:
        (run / name).unlink()
        (run / name).symlink_to(to)

    return replace


BOMB = b64encode(b"\x1c\x84\x93\x13" + zlib.compress(bytes(64 << 20)))

HOSTILE: dict[str, Callable[[Path], None]] = {
    "options nested 900 deep": damaged("run.json", nested(900)),
    "options nested 100,000 deep": damaged("run.json", nested(100_000)),
    "started in the year 1": damaged("run.json", member(started_at="0001-01-01T00:00:00Z")),
    "started in no year": damaged("run.json", member(started_at="99999-01-01T00:00:00Z")),
    "a schema of another kind": damaged("run.json", member(schema="two")),
    "names as numbers": damaged("run.json", member(labels=7, warnings="x", checks={"a": 1})),
    "run.json is a list": damaged("run.json", lambda _: b"[]"),
    "run.json is binary": damaged("run.json", lambda _: b"\xff\xfe\x00" * 1000),
    "run.json is a FIFO": fifo("run.json"),
    "the log is a FIFO": fifo("histograms.hlog"),
    "the counters are a FIFO": fifo("counters.jsonl"),
    "the log is endless": link("histograms.hlog", "/dev/zero"),
    "the counters are endless": link("counters.jsonl", "/dev/zero"),
    "the summary is endless": link("summary.json", "/dev/zero"),
    "a histogram is a bomb": damaged(
        "histograms.hlog", lambda data: data + b"Tag=open,1.0,1.0,1.0," + BOMB + b"\n"
    ),
    "a line of the log is damaged": damaged("histograms.hlog", lambda data: data + b"1.0,1.0,1.0,HISTF\n"),
    "a line of the log is long": damaged("histograms.hlog", lambda data: data + b"x" * (10 << 20) + b"\n"),
    "counters are huge": damaged(
        "counters.jsonl", lambda data: data + b'{"t": 1e308, "counters": {"sent": ' + b"9" * 5000 + b"}}\n"
    ),
    "counters are no numbers": damaged(
        "counters.jsonl",
        lambda data: data.replace(b'"sent": 200', b'"sent": null').replace(b'"sent":200', b'"sent":NaN'),
    ),
    "the summary is cut off": damaged("summary.json", lambda data: data[:-20]),
    "a window that never begins": damaged("run.json", member(window={"from_s": "1e999", "to_s": None})),
    "a percentile that is none": damaged("run.json", trusted_up_to("nan")),
    "the server's figures are no numbers": served(member(cpu_share="nan", cpu_s="1e999")),
    "the report is a link to another file": lambda run: (run / "report.html").symlink_to("../../mine"),
    "the report is a FIFO": lambda run: os.mkfifo(run / "report.html"),
    "the summary is not one": damaged(
        "summary.json", lambda _: b'{"schema": 2, "metrics": [1], "failures": 3}'
    ),
}
COMMANDS = (
    ("report", "--format", "terminal"),
    ("report", "--format", "json"),
    ("report", "--output", "page.html"),
    ("report",),
    ("report", "--history", "--results"),
    ("check", "message.p99 < 1s"),
    ("export", "--format", "csv"),
    ("compare", "--force"),
    ("list", "--results"),
)


IN_TURN = """
import contextlib, io, json, sys
from wsload.commands.cli import main

for arguments in json.load(sys.stdin):
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code
    print(json.dumps([code or 0, *(each.buffer.getvalue().decode() for each in (out, err))]), flush=True)
"""
"""What the commands do one after the other, in one process for speed."""


def wsload(directory: Path, *commands: list[str]) -> list[tuple[int, str, str]]:
    """Exit code, standard output and standard error of each."""
    done = subprocess.run(
        [sys.executable, "-c", IN_TURN],
        cwd=directory,
        env=isolated_environment(directory),
        input=json.dumps(commands).encode(),
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_results_directory_that_means_no_good_is_told_of_in_one_line(tmp_path: Path, hostile: str) -> None:
    good = store_run(tmp_path / "results", "good", at=0, seconds=3)
    bad = store_run(tmp_path / "results", "bad", at=1, seconds=3)
    HOSTILE[hostile](bad)
    (tmp_path / "mine").write_text("mine")
    commands = []
    for command, *options in COMMANDS:
        paths = {"compare": [good, bad]}.get(command, [bad])
        words = [*options, tmp_path / "results"] if "--results" in options else [*paths, *options]
        commands.append([command, *map(str, words)])
    for (command, *_), (code, printed, said) in zip(commands, wsload(tmp_path, *commands), strict=True):
        what = f"{command}: exit code {code}\n{said[-2000:]}"
        assert "Traceback" not in printed + said, what
        assert code in (0, 1, 2, 3, 4, 5), what
        assert len(said) < 4000 and said.count("\n") <= 12, what
        if command == "list":
            assert "good" in printed, what
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("place", ["/sys/kernel/results", "/proc/results", "file in the way"])
def test_results_that_can_not_be_stored_are_refused_before_the_run(
    start_locust: Callable[..., LocustRun], tmp_path: Path, place: str
) -> None:
    (tmp_path / "file in the way").write_text("")
    (tmp_path / "locustfile.py").write_text(USERS)
    finished = start_locust(
        *("--headless", "--host", "ws://127.0.0.1:1", "-t", "2s", "--ws-results", place),
        env={"LOCUST_WS_BEARER": SECRET},
    ).finish()
    assert finished.returncode == 2
    assert f"locust: error: results directory {place!r}: can't be written to" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_paths_with_spaces_are_paths_in_every_option(
    start_locust: Callable[..., LocustRun],
    serving: Serving,
    tmp_path: Path,
    certificates: Certificates,
) -> None:
    account = Account()
    place = tmp_path / "a place – with spaces"
    place.mkdir()
    authority, pair = place / "the authority.pem", place / "certificate and key.pem"
    authority.write_bytes(certificates.authority.read_bytes())
    pair.write_bytes(certificates.certificate.read_bytes() + certificates.key.read_bytes())
    locustfile = place / "locust file.py"
    locustfile.write_text(USERS)
    port = serving.websocket(account.echo, ssl=certificates.server_context())
    finished = start_locust(
        *("-f", locustfile, "--headless", "--host", f"wss://localhost:{port}", "-u", "2", "-t", "2s"),
        *("--ws-ca-file", authority, "--ws-client-cert", pair, "--ws-results", place / "my results"),
        *("--html", place / "page of locust.html", "--csv", place / "rows of locust"),
        *("--logfile", place / "log file.txt", "--ws-build", "a build with spaces"),
        env={"LOCUST_WS_BEARER": SECRET},
    ).finish()
    (run,) = (place / "my results").iterdir()
    assert_sound(finished, code=0, results=[run])
    assert (place / "page of locust.html").exists()
    page, grams = place / "my page.html", place / "my figures.hgrm"
    results = ["--results", str(place / "my results")]
    again = shutil.copytree(run, run.with_name("another run"))
    for code, printed, said in wsload(
        tmp_path,
        ["report", str(run), "--output", str(page)],
        ["report", "a build with spaces", *results, "--format", "json"],
        ["export", str(run), "--output", str(grams)],
        ["check", str(run), "lost < 1"],
        ["list", *results],
        ["compare", str(run), str(again), "--html", str(place / "my comparison.html")],
    ):
        assert code in (0, 3, 4), (code, printed, said)
        assert "Traceback" not in said
    assert page.exists() and grams.exists() and (place / "my comparison.html").exists()
    summary = json.loads((run / "summary.json").read_bytes())
    assert summary["counters"]["requests"] == account.received > 0


FOREIGN = '=HYPERLINK("http://x")\x1b[31m\x01\u202e|`<img src=x onerror=alert(1)>\u2028'
"""Text that a server, a user class or somebody's run brings."""


def test_foreign_text_is_text_in_every_format(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "results",
        [
            second(
                at,
                [5.0] * 20,
                histograms={"message": Histogram.of([5_000_000] * 20), FOREIGN: Histogram.of([1_000] * 20)},
                failures={("open", FOREIGN): 3},
            )
            for at in range(3)
        ],
        build=FOREIGN,
        target=f"ws://h/{FOREIGN}",
        trust=Trust(standing=Standing.UNTRUSTED, verdict=f"Not trusted: {FOREIGN}", remedy=FOREIGN),
        warnings=(RunWarning(name="x", text=FOREIGN, remedy=FOREIGN, invalidates=True),),
    )
    formats = ("terminal", "junit", "csv", "markdown", "json")
    answers = wsload(
        tmp_path,
        *(["report", str(run), "--format", name] for name in formats),
        ["report", str(run), "--output", "page.html"],
        ["list"],
    )
    said = dict(zip((*formats, "page", "list"), (printed for _, printed, _ in answers), strict=True))
    assert all(not errors or "Traceback" not in errors for *_, errors in answers)
    assert said["junit"] and ElementTree.fromstring(said["junit"]) is not None
    assert not any(row and row[0].startswith("=") for row in csv.reader(io.StringIO(said["csv"])))
    for name in ("terminal", "list", "markdown", "junit"):
        assert not {"\x1b", "\x01", "\u202e"} & set(said[name]), name
    for text in (said["markdown"], said["junit"], (tmp_path / "page.html").read_text("utf-8")):
        assert "<img src=x" not in text
    assert json.loads(said["json"])["run"]["build"] == FOREIGN
