"""What every test file gets: a process that Locust leaves unpatched, and fixtures of the shared helpers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

# Importing locust patches sockets and threads of the process: fine for a load generator, not for pytest.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"

import pytest
from faults.table import names
from support.certificates import Certificates
from support.locust_run import Finished, LocustRun
from support.npm import install
from support.serving import Serving


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of the fault table."""
    in_table, tests = names(), Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(tests):
            function = item.nodeid.rpartition("/")[2].partition("::")[2]
            if f"{item.path.relative_to(tests).as_posix()}::{function}".startswith(in_table):
                item.add_marker("faults")


@pytest.hookimpl(tryfirst=True)  # before a failure is kept for --last-failed
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Takes a test's group off its name: without processes it has none, and would not run again."""
    name, _, group = report.nodeid.rpartition("@")
    if "PYTEST_XDIST_WORKER" not in os.environ and name and "]" not in group:
        report.nodeid = name


@pytest.fixture
def start_locust(tmp_path: Path) -> Iterator[Callable[..., LocustRun]]:
    """Starts ``locust ARGUMENTS`` in the test's own directory; what still runs at the end is killed."""
    runs: list[LocustRun] = []

    def start(*arguments: str | Path, **settings: object) -> LocustRun:
        runs.append(LocustRun(*arguments, cwd=tmp_path, **settings))
        return runs[-1]

    yield start
    for run in runs:
        run.kill()


@pytest.fixture
def run_locust(start_locust: Callable[..., LocustRun]) -> Callable[..., Finished]:
    """Runs ``locust ARGUMENTS`` in the test's own directory until it ends by itself."""
    return lambda *arguments, **settings: start_locust(*arguments, **settings).finish()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority of the tests' own, and a certificate of it for this machine."""
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def serving() -> Iterator[Serving]:
    """An event loop in a thread of its own, to run servers on."""
    with Serving() as loop:
        yield loop


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The npm packages, installed once; tests that use it belong to the group "timing"."""
    return install(tmp_path_factory.mktemp("npm"))
