"""Every command in the documentation is one that the program takes; those of the first run are run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from locust.argument_parser import get_parser
from support.certificates import Certificates
from support.documents import DOCS, PAGES, commands, marked, typed
from support.locust_run import ROOT

from wsload.commands.cli import app
from wsload.load.options.settings import Settings
from wsload.load.options.table import OPTIONS, add_options

WITH_COMMANDS = [page for page in PAGES if any(commands(page))]
SESSION = ("start/install.md", "start/first-run.md")


def test_there_are_commands() -> None:
    assert len(WITH_COMMANDS) >= 12
    assert sum(1 for page in PAGES for _ in commands(page)) >= 40


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_is_understood(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificates: Certificates
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, file in (
        ("ca.pem", certificates.authority),
        ("client.pem", certificates.certificate),
        ("client.key", certificates.key),
    ):
        shutil.copy(file, name)
    for name in ("checks.txt", "load/checks.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("lost < 1\n", "utf-8")
    for program, *words in commands(page):
        if "--version" in words:
            continue
        if program == "locust":
            parser = get_parser()
            if "--ws-url" not in parser._option_string_actions:
                add_options(parser)
            Settings.of(parser.parse_args(words))
        else:
            name, *arguments = words
            command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
            command.make_context(name, list(arguments))


def test_the_first_run_is_a_session_that_works(tmp_path: Path) -> None:
    """In an empty directory, as somebody types it; only shorter."""
    for program in ("wsload", "locust"):
        path = tmp_path / "bin" / program
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {program} "$@"\n', "utf-8")
        path.chmod(0o755)
    empty = tmp_path / "empty"
    empty.mkdir()
    (locustfile,) = marked(DOCS / "start" / "first-run.md", "python", "session: locustfile.py")
    (empty / "locustfile.py").write_text(locustfile, "utf-8")
    bash = shutil.which("bash")
    assert bash
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "LOCUST_WS_ALLOW_INVALID": "true",  # the machine may be busy
    }
    environment.pop("LOCUST_SKIP_MONKEY_PATCH", None)
    texts = [text for page in SESSION for text in marked(DOCS / page, "console", "session")]
    lines = [line for text in texts for line in typed(text)]
    assert len(lines) >= 6
    for line in lines:
        short = re.sub(r"-t \d+s", "-t 4s", line)
        done = subprocess.run(
            [bash, "-c", short],
            cwd=empty,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        may = (0, 3) if line.startswith("wsload check") else (0,)  # 3: a busy machine, again
        assert done.returncode in may, f"{short}\n{done.stdout}{done.stderr}"
    made = sorted(str(path.relative_to(empty)) for path in (empty / "results").rglob("*"))
    assert len([path for path in made if path.endswith("report.html")]) == 2, made


def test_every_option_is_in_the_reference() -> None:
    sys.path.insert(0, str(DOCS))
    try:
        import generated
    finally:
        sys.path.remove(str(DOCS))
    text = generated.options("")
    assert [name for name, _ in OPTIONS if f"`{name}" not in text] == []
    grouped = {f"--ws-{name}" for names in generated.GROUPS.values() for name in names}
    assert grouped <= {name for name, _ in OPTIONS}
