"""Names that a locustfile brings, on a real run: they are the same in everything it leaves and shows."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.locust_run import Finished, processes
from support.schemas import validate_run
from support.serving import Serving, echo

from wsload.results.reader import open_run

SHOPPER = Path(__file__).parent.parent / "support" / "locustfiles" / "shopper.py"
FIRST, BUY, STEP, VALUE = "sub first, then <b>", "buy", "check out: 'all'", "tick"
CHECKS = (
    f'"{FIRST}".p50 < 5s',
    f'"{FIRST}".lost < 1',
    f'"{STEP}".p50 < 5s',
    f'"{STEP}".failed.rate < 100%',
    '"gaps in the feed" < 1',
    '"books sold" > 10',
    "buy.failed >= 0",
)


@pytest.fixture
def host() -> Iterator[str]:
    with Serving() as serving:
        yield f"ws://127.0.0.1:{serving.websocket(echo)}"


@pytest.mark.parametrize("number", [1, 2], ids=["one process", "workers"])
def test_every_name_is_everywhere(run_locust: Callable[..., Finished], host: str, number: int) -> None:
    finished = run_locust(
        *(
            "-f",
            SHOPPER,
            "--headless",
            "-u",
            "6",
            "-r",
            "20",
            "-t",
            "4s",
            "--host",
            host,
            "--ws-json-progress",
            "--ws-tolerance",  # names are tried, not the machine
            "1m",
        ),
        *(part for check in CHECKS for part in ("--ws-check", check)),
        *processes(number),
    )
    assert "Traceback" not in finished.stderr
    validate_run(finished.directory)
    summary = finished.summary
    assert summary["names"] == {FIRST: "request", BUY: "request", STEP: "step", VALUE: "value"}
    assert [check["passed"] for check in finished.run["checks"]] == [True] * len(CHECKS), finished.run[
        "checks"
    ]
    assert summary["counters"]["books sold"] == finished.count(VALUE) > 10
    assert summary["counters"]["gaps in the feed"] == 0

    # Locust's own table
    assert {FIRST, BUY, STEP, VALUE, "open"} <= finished.rows.keys()
    for name in (FIRST, STEP, VALUE):
        assert finished.rows[name].requests == finished.count(name)
    assert finished.rows[BUY].requests == finished.count(BUY) + finished.count(f"{BUY}.failed")
    assert finished.rows[BUY].failures == finished.count(f"{BUY}.failed")

    # JSON lines
    end = json.loads(finished.stdout.splitlines()[-1])
    assert end["names"][FIRST]["answered"] == finished.count(FIRST)
    assert end["names"][STEP]["kind"] == "step"

    # The report, the table, the export, the list
    assert "sub first, then &lt;b&gt;" in (finished.directory / "report.html").read_text("utf-8")
    assert FIRST in wsload(finished, "report", "-f", "terminal")
    assert "#[Max" in wsload(finished, "export", finished.directory, "--metric", f"{FIRST}.service")
    assert "#[Max" in wsload(finished, "export", finished.directory)
    rows = list(csv.reader(io.StringIO(wsload(finished, "report", "-f", "csv"))))
    assert {row[0] for row in rows} >= {FIRST, BUY, f"{BUY}.service", STEP, VALUE}
    assert wsload(finished, "list").count(finished.directory.name) == 1
    assert wsload(finished, "check", "latest", *CHECKS).count("passed") == len(CHECKS)


def wsload(finished: Finished, *words: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "wsload", *map(str, words)],
        cwd=finished.directory.parent.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_more_names_than_a_run_may_have_are_gathered_over_all_workers(
    run_locust: Callable[..., Finished], host: str
) -> None:
    finished = run_locust(
        *("-f", SHOPPER, "--headless", "-u", "6", "-r", "20", "-t", "3s", "--host", host, *processes(2)),
        env={"WORKER_NAMES": "150"},
    )
    names = finished.summary["names"]
    assert len(names) == 201
    assert "other" in names
    (warning,) = [each for each in finished.run["warnings"] if each["name"] == "names"]
    assert "names beyond a run's limit of 200 were grouped under 'other'" in warning["text"]
    totals = open_run(finished.directory).totals()
    items = sum(
        found.total for name, found in totals.histograms.items() if name.startswith("item") or name == "other"
    )
    assert items >= 6 * 150


def test_a_name_that_was_never_measured_fails_its_check_and_says_so(
    run_locust: Callable[..., Finished], host: str
) -> None:
    finished = run_locust(
        *("-f", SHOPPER, "--headless", "-u", "2", "-r", "20", "-t", "2s", "--host", host),
        *("--ws-check", "bye.p50 < 5s"),
    )
    assert finished.returncode == 1
    (check,) = finished.run["checks"]
    assert (check["passed"], check["got"]) == (False, "no samples")
    assert check["reason"] == "the run has no 'bye': did you mean buy?"


@pytest.mark.parametrize("check", ["mesage.p99 < 5s", "lots < 1", "buy.p9x < 5s", '"buy.p50 < 5s'])
def test_a_misspelt_check_is_refused_before_the_run(
    run_locust: Callable[..., Finished], host: str, check: str
) -> None:
    finished = run_locust("-f", SHOPPER, "--headless", "--host", host, "--ws-check", check)
    assert finished.returncode == 2
    assert "argument --ws-check:" in finished.stderr
    assert finished.directories == ()
