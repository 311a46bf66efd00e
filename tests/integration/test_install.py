"""The packages that are published: built, complete, and working where there is nothing else."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.locust_run import ROOT, Finished

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

pytest.importorskip("hatchling")
pytestmark = pytest.mark.xdist_group("install")


def build(source: Path, target: Path, *what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", target, *what],
        cwd=source, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist, which was built from the repository."""
    directory = tmp_path_factory.mktemp("built")
    build(ROOT, directory, "-t", "sdist")
    (sdist,) = directory.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        # The argument ``filter`` came with Python 3.11.4.
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        archive.extractall(directory)
    build(directory / sdist.name.removesuffix(".tar.gz"), directory, "-t", "wheel")
    (found,) = directory.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel, and nothing but it, was installed."""
    directory = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", directory, wheel],
        check=True, timeout=120,
    )  # fmt: skip
    return directory


def test_what_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "wsload"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode == 0:
        assert set(tracked.stdout.split()) - names == set()
    assert {f"wsload/locustfiles/{path.name}" for path in (ROOT / "locustfiles").glob("*.py")} <= names
    strange = {
        name for name in names if not re.match(r"wsload(-[\d.]+\.dist-info)?/", name) or name.endswith(".pyc")
    }
    assert strange == set()


def test_the_metadata_is_complete(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (place,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    found = email.message_from_bytes(archive.read(place))
    assert found["Name"] == "wsload" and found["Version"] == PROJECT["version"]
    assert found["Author"] and found["License-Expression"] == "MIT" and found["Requires-Python"] == ">=3.11"
    assert "chat" not in found["Summary"], "it is for any WebSocket service"
    links = {link.partition(",")[0] for link in found.get_all("Project-URL", [])}
    assert {"Homepage", "Documentation", "Source", "Issues", "Changelog"} <= links
    systems = {each for each in found.get_all("Classifier", []) if each.startswith("Operating System")}
    assert systems == {"Operating System :: POSIX :: Linux", "Operating System :: MacOS"}
    assert found["Description-Content-Type"] == "text/markdown"


def test_it_works_in_an_empty_folder(site: Path, tmp_path: Path, run_locust: Callable[..., Finished]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def wsload(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "wsload", *words],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=60,
        ).stdout  # fmt: skip

    assert f"wsload {PROJECT['version']}" in wsload("--version")
    assert "locustfile.py" in wsload("new")
    finished = run_locust(
        "-f", "locustfile.py", "--headless", "--only-summary", "-u", "5", "-r", "5", "-t", "2s",
        env={"PYTHONPATH": str(site)},
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert finished.count("message") > 0
    assert (finished.directory / "report.html").is_file()
    assert "message" in wsload("report", "latest", "--format", "markdown")
    where = "import wsload; print(wsload.__file__)"
    told = subprocess.run(
        [sys.executable, "-c", where],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(told.stdout.strip()).is_relative_to(site)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands(shell: str) -> None:
    program = {
        "bash": {"COMP_WORDS": "wsload from", "COMP_CWORD": "1"},
        "zsh": {"_TYPER_COMPLETE_ARGS": "wsload from"},
        "fish": {"_TYPER_COMPLETE_ARGS": "wsload from", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    done = subprocess.run(
        [sys.executable, "-m", "wsload"],
        env={**os.environ, "_WSLOAD_COMPLETE": f"complete_{shell}", **program},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "from-har" in done.stdout, done.stderr
