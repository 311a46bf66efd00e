"""The pages on the ways in are true: their commands are run, and the Action's page names what the Action has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.documents import DOCS, blocks, marked, typed
from support.locust_run import ROOT
from support.recording import STORED

from wsload.commands.new.scaffold import protocols
from wsload.server.process import ServerProcess


def run(page: Path, mark: str, directory: Path, **variables: str) -> None:
    """Types a page's commands into one shell, only shorter."""
    programs = directory / "programs"
    programs.mkdir()
    for program in ("wsload", "locust"):
        path = programs / program
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {program} "$@"\n', "utf-8")
        path.chmod(0o755)
    lines = [line for text in marked(page, "console", mark) for line in typed(text)]
    script = re.sub(r"-t \d+s", "-t 8s", "\n".join(lines))
    bash = shutil.which("bash")
    assert bash and lines
    done = subprocess.run(
        [bash, "-ec", script],
        cwd=directory,
        env={
            **{name: value for name, value in os.environ.items() if name != "LOCUST_SKIP_MONKEY_PATCH"},
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
            "LOCUST_WS_ALLOW_INVALID": "true",  # the machine may be busy
            **variables,
        },
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    # wsload check does not know of LOCUST_WS_ALLOW_INVALID: 3 where the machine was busy.
    may = (0, 3) if "wsload check" in script else (0,)
    assert done.returncode in may, f"{script}\n{done.stdout}{done.stderr}"


@pytest.mark.xdist_group("timing")
def test_start_from_an_example(tmp_path: Path) -> None:
    page = DOCS / "start" / "new.md"
    run(page, "session: new", tmp_path)
    assert (tmp_path / "shop" / "checks.txt").is_file()
    assert len(list((tmp_path / "shop" / "results").glob("*/report.html"))) == 1
    (names,) = re.findall(r"The protocols are (.*?) \(", page.read_text("utf-8"), re.DOTALL)
    assert re.findall(r"`([\w-]+)`", names) == list(protocols())


def test_from_a_recording(tmp_path: Path) -> None:
    shutil.copy(STORED / "chat.har", tmp_path / "session.har")
    with ServerProcess() as server:
        run(DOCS / "howto" / "recording.md", "session: recording", tmp_path, LOCUST_HOST=server.url)
    assert len(list((tmp_path / "results").glob("*/report.html"))) == 1


def test_the_action_s_page_names_its_inputs_and_outputs() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    text = (DOCS / "howto" / "action.md").read_text("utf-8")
    first = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`([\w-]+)`", " ".join(first))) == set(action["inputs"])
    assert all(f"`{name}`" in text for name in action["outputs"])
    ((_, workflow),) = blocks(DOCS / "howto" / "action.md", "yaml")
    steps = yaml.safe_load(workflow)["jobs"]["load"]["steps"]
    assert steps[-1]["with"].keys() <= action["inputs"].keys()
