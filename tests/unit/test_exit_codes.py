"""Each exit code means one thing, and is written down once."""

from __future__ import annotations

import errno
import os
import re

import pytest

from wsload import exit_codes
from wsload.commands import cli
from wsload.errors import (
    NothingMeasured,
    NotWritten,
    ResultsError,
    ServerFailed,
    UsageError,
    WsloadError,
    unwritten,
)
from wsload.exit_codes import ExitCode


def test_every_code_is_in_the_table() -> None:
    assert exit_codes.__doc__ is not None
    rows = dict(re.findall(r"^\| (\d) \| `ExitCode\.([A-Z_]+)` \|", exit_codes.__doc__, re.MULTILINE))
    assert rows == {str(code.value): code.name for code in ExitCode}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("a typo"), 2),
        (ResultsError("no such run"), 2),
        (NothingMeasured("no answer"), 5),
        (ServerFailed("out of memory"), 6),
        (WsloadError("no free port"), 7),
        (NotWritten("no space left"), 7),
    ],
)
def test_what_stops_a_command_is_one_line_and_its_code(
    error: WsloadError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended_with(error, monkeypatch) == code
    assert capsys.readouterr().err == f"wsload: {error}\n"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, 7),
        (errno.EDQUOT, 7),
        (errno.EFBIG, 7),
        (errno.EIO, 7),
        (errno.EACCES, 2),
        (errno.EROFS, 2),
        (errno.EISDIR, 2),
        (errno.ENOENT, 2),
    ],
)
def test_a_failed_write_is_the_users_mistake_unless_the_disk_failed(number: int, code: int) -> None:
    assert unwritten(OSError(number, os.strerror(number)), "x: can't be written").exit_code == code


def test_a_bug_is_a_traceback_and_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended_with(RuntimeError("a bug"), monkeypatch) == 7
    assert capsys.readouterr().err.endswith("RuntimeError: a bug\n")


def ended_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> object:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as caught:
        cli.main([])
    return caught.value.code
