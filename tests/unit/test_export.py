from __future__ import annotations

from pathlib import Path

import pytest
import typer
from support.made_runs import TRUSTED
from typer.testing import CliRunner

from wsload.commands.cli.export import export
from wsload.errors import ResultsError, UsageError
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.report.hgrm import distribution
from wsload.results.writer import RunWriter

START = 1732278960.0
OPENS = Histogram.of([7_000_000, 9_000_000])
app = typer.Typer()
app.command()(export)


@pytest.fixture
def run(tmp_path: Path) -> str:
    writer = RunWriter.create(tmp_path, build="v1", target="", options={}, started_at=START)
    for second in range(2):
        writer.append(Interval(start_s=START + second, length_s=1.0, histograms={"open": OPENS}))
    writer.finish({}, ended_at=START + 2, trust=TRUSTED)
    return str(writer.path)


def told(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_distribution_of_the_whole_run_goes_to_standard_output(run: str) -> None:
    whole = Histogram.of([7_000_000, 9_000_000] * 2)
    assert told(run, "--metric", "open") == distribution(whole, started_at=START)
    assert told(run, "--format", "csv", "--metric", "open") == distribution(whole, started_at=START, csv=True)


def test_or_to_a_file(run: str, tmp_path: Path) -> None:
    assert told(run, "--metric", "open", "--output", str(tmp_path / "open.hgrm")) == ""
    assert (tmp_path / "open.hgrm").read_text() == told(run, "--metric", "open")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--metric 'message': .* has no such metric; it has: open"),
        (["--metric", "open", "--output", "/nowhere/x"], "--output '/nowhere/x': can't be written"),
    ],
)
def test_a_mistake_is_one_line(run: str, arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        told(run, *arguments)
    assert "\n" not in str(caught.value)


def test_a_directory_that_holds_no_run_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="not a results directory of a run"):
        told(str(tmp_path))
