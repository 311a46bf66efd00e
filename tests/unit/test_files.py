"""Files are replaced at once, and what a user names is written to, whatever it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from support.made_runs import STARTED_AT, make_run, second

from wsload.commands.cli import main
from wsload.errors import NotWritten, UsageError
from wsload.results.files import finite, put_out, store


def test_a_file_is_written_anew(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for text in (b"one", b"another"):
        put_out(file, text)
        assert file.read_bytes() == text
    assert list(tmp_path.iterdir()) == [file], "nothing temporary is left"


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_one_and_its_file_is_written(tmp_path: Path, there: bool) -> None:
    file, link = tmp_path / "elsewhere" / "file", tmp_path / "link"
    file.parent.mkdir()
    link.symlink_to("elsewhere/file")
    if there:
        file.write_bytes(b"before")
    put_out(link, b"page")
    assert link.is_symlink() and file.read_bytes() == b"page"


@pytest.mark.parametrize("linked", [True, False])
def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path, linked: bool) -> None:
    """As is a device: as root, /dev/null would become a file."""
    pipe, named = tmp_path / "pipe", tmp_path / ("link" if linked else "pipe")
    os.mkfifo(pipe)
    if linked:
        named.symlink_to(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        put_out(named, b"page")
        assert os.read(reader, 100) == b"page"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode) and named.is_symlink() == linked


def test_what_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^--html: can't be written \(Is a directory\); name another$"):
        put_out(tmp_path, b"", what="--html:", hint="; name another")
    nowhere = tmp_path / "no" / "file"
    for write, error in ((put_out, UsageError), (store, NotWritten)):
        with pytest.raises(error, match=rf"^{nowhere}: can't be written \(No such file or directory\)$"):
            write(nowhere, b"")
    (tmp_path / "round").symlink_to("round")
    put_out(tmp_path / "round", b"page")
    assert (tmp_path / "round").read_bytes() == b"page", "a link to itself leads nowhere else"


@pytest.mark.parametrize("command", ["report", "history", "export", "compare"])
def test_every_command_writes_where_a_link_leads(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [
        str(make_run(tmp_path / "results", [second(0, [1.0] * 600)], build=build, started_at=STARTED_AT + at))
        for at, build in enumerate("ab")
    ]
    file, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to("file")
    words = {
        "report": ["report", runs[0], "--output"],
        "history": ["report", "--history", "--results", str(tmp_path / "results"), "--output"],
        "export": ["export", runs[0], "--output"],
        "compare": ["compare", *runs, "--html"],
    }[command]
    with pytest.raises(SystemExit):
        main([*words, str(link)])
    assert link.is_symlink() and file.stat().st_size > 100, capsys.readouterr().err


@pytest.mark.parametrize("there", ["a link to a file", "a link to nowhere", "a pipe", "a link to a pipe"])
def test_a_file_that_the_user_did_not_name_replaces_what_is_there(tmp_path: Path, there: str) -> None:
    mine, page, pipe = tmp_path / "mine", tmp_path / "run" / "page", tmp_path / "pipe"
    page.parent.mkdir()
    mine.write_bytes(b"mine")
    os.mkfifo(pipe)
    if there == "a pipe":
        pipe.rename(page)
    else:
        page.symlink_to({"file": mine, "nowhere": tmp_path / "new", "pipe": pipe}[there.split()[-1]])
    put_out(page, b"page", named=False)
    assert page.read_bytes() == b"page" and not page.is_symlink()
    assert mine.read_bytes() == b"mine" and not (tmp_path / "new").exists()


def test_a_link_in_the_place_of_a_temporary_file_is_not_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    (tmp_path / f".page.{os.getpid()}.tmp").symlink_to(mine)
    store(tmp_path / "page", b"page")
    assert mine.read_bytes() == b"mine" and (tmp_path / "page").read_bytes() == b"page"


@pytest.mark.parametrize("value", ["1e999", "7", float("inf"), float("nan"), 10**400, True, None, [1]])
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        finite(value)
    assert (finite(7), finite(-0.5)) == (7.0, -0.5)
