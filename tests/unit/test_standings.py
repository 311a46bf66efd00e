"""A run that measured nothing, too little or in vain says so in every view, and is nowhere shown as a good one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.made_runs import TRUSTED, UNTRUSTED, make_run, second

from wsload.commands.cli import main
from wsload.judge.run.standing import CUT_SHORT
from wsload.measure.names import Kind
from wsload.report.comparison.runs import read_runs
from wsload.report.html import render
from wsload.report.junit import junit
from wsload.report.markdown import markdown
from wsload.report.run_report import read_report
from wsload.results.run import RunWarning
from wsload.results.trust import Standing
from wsload.results.writer import UNWRITTEN

SAID = "what the verdict says of it"


def run_of(results: Path, standing: Standing) -> Path:
    trust = replace(TRUSTED, standing=standing, verdict=SAID)
    return make_run(results, [second(0, [1.0] * (standing is Standing.FEW))], trust=trust)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The command's exit code, and what it printed."""
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    found = capsys.readouterr()
    return int(ended.value.code or 0), " ".join((found.out + found.err).split())


@pytest.mark.parametrize(
    ("standing", "code"),
    [(Standing.NOTHING, 5), (Standing.FAILED, 5), (Standing.UNTRUSTED, 3), (Standing.FEW, 0)],
)
def test_every_view_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], standing: Standing, code: int
) -> None:
    path = run_of(tmp_path, standing)
    report = read_report(path)
    assert standing.tone != "good"
    for text in (markdown(report), render(report).decode()):
        assert SAID in text
    assert f'class="banner {standing.tone}"' in render(report).decode()
    root = ElementTree.fromstring(junit(report))
    few = standing is Standing.FEW
    assert ((root.get("failures"), root.get("errors")) == ("0", "0")) == few == (code == 0)
    assert [suite.get("skipped") for suite in root] == [str(int(few))]
    assert [each.get("message") for each in root.iter("skipped")] == [SAID] * few
    assert standing.upper() in told(capsys, "list", "--results", str(tmp_path))[1]
    found, said = told(capsys, "check", str(path), "lost < 1")
    assert (found, SAID in said) == (code, code != 0)


def test_a_run_of_which_not_all_could_be_written_is_incomplete_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its figures were trusted when it ended, but the files lack some of them."""
    lacking = RunWarning(
        name=UNWRITTEN, text="3 of 9 intervals could not be written", remedy="free disk space"
    )
    path = make_run(tmp_path, [second(0, [1.0] * 600)], warnings=(lacking,))
    report = read_report(path)
    assert report.standing is Standing.INCOMPLETE
    assert [doubt.text for doubt in report.doubts] == [lacking.text], "said once"
    for text in (markdown(report), render(report).decode(), junit(report)):
        assert lacking.text in text and "Incomplete: " in text
    assert "INCOMPLETE" in told(capsys, "list", "--results", str(tmp_path))[1]
    code, said = told(capsys, "check", str(path), "message.count > 1")
    assert code == 3 and lacking.text in said
    (compared, _) = read_runs([path], [make_run(tmp_path, [second(0, [1.0] * 600)])])
    assert compared.doubt == f"incomplete: {lacking.text}" and not compared.figures.valid


@pytest.mark.parametrize("name", ["histograms.hlog", "counters.jsonl", "summary.json"])
@pytest.mark.parametrize("emptied", [False, True])
def test_a_run_that_was_copied_to_a_full_disk_is_incomplete_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, emptied: bool
) -> None:
    """A check of what is left would pass: the losses may be in what is missing."""
    path = make_run(tmp_path, [second(at, [1.0] * 600) for at in range(3)])
    lines = (path / name).read_bytes().splitlines(keepends=True)
    (path / name).write_bytes(b"" if emptied else b"".join(lines[:-1]))
    report = read_report(path)
    assert report.standing is Standing.INCOMPLETE
    assert len(report.doubts) == 1 and name in report.doubts[0].text, "said once"
    code, said = told(capsys, "check", str(path), "lost < 1")
    assert code == 3 and report.doubts[0].text in said
    assert told(capsys, "check", str(path), "lost < 1", "--allow-invalid")[0] == 0
    assert ("INCOMPLETE" if name != "summary.json" else name) in told(
        capsys, "list", "--results", str(tmp_path)
    )[1]
    (compared, _) = read_runs([path], [make_run(tmp_path, [second(0, [1.0] * 600)])])
    assert compared.doubt.startswith("incomplete: ") and not compared.figures.valid


@pytest.mark.parametrize(("name", "code"), [(CUT_SHORT, 3), ("cpu", 0)])
@pytest.mark.parametrize("stretch", [(), ("--from", "1s")])
def test_a_run_that_was_cut_short_is_judged_by_no_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, code: int, stretch: tuple[str, ...]
) -> None:
    warning = RunWarning(name=name, text="3 users did not stop in time and were dropped", invalidates=True)
    seconds = [second(at, [1.0] * 600, names={"message": Kind.REQUEST}) for at in range(3)]
    path = make_run(tmp_path, seconds, trust=UNTRUSTED, warnings=(warning,))
    assert told(capsys, "check", str(path), "lost < 1", *stretch)[0] == 3
    assert told(capsys, "check", str(path), "lost < 1", "--allow-invalid", *stretch)[0] == code
