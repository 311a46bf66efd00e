"""The README says what is: help texts are the commands' own, the example runs, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from support.locust_run import ROOT, Finished

from wsload.server.process import ServerProcess

README = (ROOT / "README.md").read_text("utf-8")


def test_help_texts_are_what_the_commands_print() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "docs" / "readme.py", "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_the_example_is_a_locustfile_that_runs(run_locust: Callable[..., Finished], tmp_path: Path) -> None:
    (example,) = re.findall(r"<!-- tested -->\n```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "example.py").write_text(example, "utf-8")
    with ServerProcess() as server:
        load = ["--headless", "--only-summary", "-u", "4", "-r", "4", "-t", "4s", "--ws-allow-invalid"]
        finished = run_locust("-f", "example.py", "--host", server.url, *load)
    assert finished.returncode == 0, finished.stderr
    assert finished.count("message") > 0
    assert finished.failures == {}


def test_the_options_it_names_exist() -> None:
    options = subprocess.run(
        [sys.executable, "-m", "wsload", "options"], capture_output=True, text=True, check=True
    ).stdout
    commands = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    named = {
        word.partition("=")[0]
        for command in commands
        for word in shlex.split(command.replace("\\\n", " ").replace("$ ", ""), comments=True)
        if word.startswith("--ws-")
    }
    assert named
    assert [
        option for option in sorted(named) if f"{option} " not in options and f"{option}\n" not in options
    ] == []


def test_its_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert [target for target in targets if not (ROOT / target).exists()] == []
