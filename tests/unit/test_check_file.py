"""A file of checks: one a line, comments, and mistakes told with their line; in locust and in ``wsload check``."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.made_runs import make_run, second

from wsload.errors import UsageError
from wsload.judge.run.check_file import project_checks, read_checks
from wsload.judge.run.grammar import parse_check
from wsload.load.options.settings import Settings


def test_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "checks.txt"
    path.write_text('# why\n\nmessage.p99 < 50ms\n   # more\n "sub first".p50 < 1s \r\nlost < 1')
    assert read_checks(path) == tuple(
        map(parse_check, ("message.p99 < 50ms", '"sub first".p50 < 1s', "lost < 1"))
    )


def test_files_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    checks, project = tmp_path / "checks.txt", tmp_path / "pyproject.toml"
    checks.write_text("lost < 1\n", "utf-8-sig")
    project.write_text('[tool.wsload]\nchecks = ["lost < 1"]\n', "utf-8-sig")
    assert read_checks(checks) == project_checks(project) == (parse_check("lost < 1"),)


@given(st.lists(st.sampled_from(["lost < 1", "# note", "", "  ", "message.p50 < 1s", "unsent <= 3"])))
def test_as_many_checks_as_lines_that_hold_one(lines: list[str]) -> None:
    path = Path(__file__).with_name("none.txt")

    class Stored(type(path)):  # a path whose text is given
        def read_text(self, *_: object, **__: object) -> str:
            return "\n".join(lines)

    wanted = [line for line in lines if line.strip() and not line.startswith("#")]
    if not wanted:
        with pytest.raises(UsageError, match="has no checks"):
            read_checks(Stored(path))
    else:
        assert [each.expression for each in read_checks(Stored(path))] == wanted


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"lost < 1\n\nlsot < 1\n", "line 3: check 'lsot < 1': there is no 'lsot'"),
        (b"\xff\xfe", "is not text in UTF-8"),
        (b"# nothing\n", "has no checks"),
        (None, "can't be read (No such file or directory)"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "checks.txt"
    if content is not None:
        path.write_bytes(content)
    run = make_run(tmp_path / "results", [second(0, [1.0])])
    with pytest.raises(UsageError) as refused:
        Settings.of(Namespace(ws_checks=str(path)))
    assert str(refused.value).startswith(f"argument --ws-checks: {str(path)!r}:")
    assert problem in str(refused.value)
    done = subprocess.run(
        [sys.executable, "-m", "wsload", "check", run, "--checks", path], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"wsload: --checks {str(path)!r}: {problem}")


def test_they_come_after_the_projects_and_before_the_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.wsload]\nchecks = ["lost < 1"]\n')
    (tmp_path / "checks.txt").write_text("late < 2\n")
    settings = Settings.of(Namespace(ws_checks="checks.txt", ws_check=["unsent < 3"]))
    assert [check.name for check in settings.checks] == ["lost", "late", "unsent"]
