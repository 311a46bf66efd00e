"""The CI pages are true: GitHub's schema accepts their files, and the scripts of their jobs are run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
import yaml
from support.documents import DOCS, blocks, marked
from support.locust_run import ROOT
from support.services import free_ports

from wsload.judge.run.check_file import read_checks

PROGRAMS = {
    **{name: f'exec "{sys.executable}" -m {name} "$@"' for name in ("locust", "wsload")},
    "node": f'exec "{sys.executable}" -m wsload serve --quiet-roster --port "${{@: -1}}"',
    **dict.fromkeys(("pip", "npm", "make"), "exit 0"),
}
"""Those that the scripts call: wsload is there, and the service is its chat."""
SHORTER = (
    (r"-t \d+s", "-t 4s"),
    (r"-u 50 -r 25", "-u 20 -r 20"),
    (r"--stop-early", "--stop-early -t 4s --pairs 2 --warm-up 0s"),
    (r"in 1 2 3", "in 1"),
    (r"(^|')\./server ", r"\1node server.js "),
)


def pages(name: str) -> list[dict[Any, Any]]:
    return [yaml.safe_load(text) for _, text in blocks(DOCS / "howto" / name, "yaml")]


class Job:
    """A checkout in which jobs are run: shorter, and on a port of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.summary = directory / "checkout", directory / "summary"
        self.results = self.directory / "results"
        self._port = free_ports(1)[0]
        programs, load = directory / "programs", self.directory / "load"
        for path in (programs, load):
            path.mkdir(parents=True)
        for name, script in PROGRAMS.items():
            (programs / name).write_text(f"#!/usr/bin/env bash\n{script}\n", "utf-8")
            (programs / name).chmod(0o755)
        (locustfile,) = marked(DOCS / "start" / "first-run.md", "python", "session: locustfile.py")
        (load / "locustfile.py").write_text(locustfile, "utf-8")
        (load / "checks.txt").write_text("message.p50 < 10s\nlost < 1\n", "utf-8")
        known = {name: value for name, value in os.environ.items() if not name.startswith(("LOCUST_", "GIT"))}
        self._environment = {
            **known, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
            "LOCUST_WS_ALLOW_INVALID": "true",  # the machine may be busy
            "GITHUB_STEP_SUMMARY": str(self.summary), "GITHUB_SHA": "abc", "CI_COMMIT_SHORT_SHA": "abc",
            "GITHUB_BASE_REF": "main", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        }  # fmt: skip
        self._run(
            "git init --quiet; git -c user.name=ann -c user.email=ann@example.org commit --quiet --allow-empty -m one;"
            "git update-ref refs/remotes/origin/main HEAD"
        )

    def run(self, job: dict[str, Any], event: str = "pull_request", **variables: str) -> str:
        """Runs a job of GitHub's or GitLab's; it passes, or fails with a code that it may fail with."""
        steps = scripts(job, event) if "steps" in job else [*job["script"], *job.get("after_script", [])]
        text = "\n".join(steps).replace("8080", str(self._port))
        for long, short in SHORTER:
            text = re.sub(long, short, text, flags=re.MULTILINE)
        may = job.get("allow_failure", {}).get("exit_codes", [])
        return self._run(f"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{text}", *may, **variables)

    def _run(self, script: str, *may: int, **variables: str) -> str:
        said = self.directory / "said"
        with said.open("w") as file:
            done = subprocess.run(
                [shutil.which("bash") or "bash", "-eo", "pipefail", "-c", script],
                cwd=self.directory, env={**self._environment, **variables},
                stdout=file, stderr=file, check=False, timeout=180,
            )  # fmt: skip
        assert done.returncode in (0, *may), f"{script}\n{said.read_text('utf-8')}"
        return said.read_text("utf-8")


def scripts(job: dict[str, Any], event: str = "pull_request") -> Iterator[str]:
    """Those of a GitHub job's steps; a condition names the only event for which a step is."""
    for step in job["steps"]:
        if "run" in step and ("event_name" not in step.get("if", "") or f"'{event}'" in step["if"]):
            yield step["run"]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    if shutil.which("curl") is None:
        pytest.skip("the scripts wait for the service by curl")
    return Job(tmp_path)


def test_github_accepts_the_workflows() -> None:
    accept = fastjsonschema.compile(
        json.loads((ROOT / "tests" / "schemas" / "github-workflows.json").read_bytes())
    )
    for page in ("github.md", "action.md"):
        for found in pages(page):
            # YAML 1.1 reads the key "on" as true; GitHub reads YAML 1.2.
            accept({"on" if key is True else key: value for key, value in found.items()})


def test_the_checks_are_some(tmp_path: Path) -> None:
    (text,) = [text for _, text in blocks(DOCS / "howto" / "github.md", "text")]
    (tmp_path / "checks.txt").write_text(text, "utf-8")
    assert len(read_checks(tmp_path / "checks.txt")) == 3


@pytest.mark.parametrize("page", ["github.md", "gitlab.md"])
def test_the_two_jobs(page: str, job: Job) -> None:
    found = pages(page)[0]
    jobs = found.get("jobs", found)
    for name, kept in (("limits", "*-abc/report.html"), ("compare", "ab-*/experiment.json")):
        job.run(jobs[name])
        assert len([*job.results.glob(kept)]) == 1
    assert (job.directory / "junit.xml").is_file()
    if "jobs" in found:
        assert "message" in job.summary.read_text("utf-8")


def test_jenkins_is_given_what_gitlab_runs() -> None:
    limits = pages("gitlab.md")[0]["limits"]
    ((_, pipeline),) = blocks(DOCS / "howto" / "jenkins.md", "groovy")
    given = " ".join(pipeline.replace("\\\n", " ").split())
    for line in (*limits["script"], *limits["after_script"]):
        assert " ".join(line.split()).replace("$CI_COMMIT_SHORT_SHA", "$GIT_COMMIT") in given, line


@pytest.mark.parametrize("page", ["github.md", "gitlab.md"])
def test_a_stored_baseline(page: str, job: Job) -> None:
    """The first merge has none to be compared with; its own runs are not kept."""
    found = pages(page)[1]
    baseline = found.get("jobs", found)["baseline"]
    for number, (event, build) in enumerate(
        [("pull_request", "candidate"), ("push", "main"), ("pull_request", "candidate")]
    ):
        for run in job.results.glob("*-candidate"):
            shutil.rmtree(run)
        said = job.run(baseline, event, BUILD=build)
        compared = re.search(
            "^(NO VALID RUNS|INCONCLUSIVE|SLOWER|FAILS MORE|FASTER|NOT SLOWER) ", said, re.MULTILINE
        )
        assert bool(compared) == (number == 2), said
    assert len([*job.results.glob("*-main")]) == len([*job.results.glob("*-candidate")]) == 1
