"""The GitHub Action, the workflows and the hooks: GitHub's schemas accept them, and their shell snippets work."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.locust_run import CHAT, ROOT
from support.made_runs import STARTED_AT, make_run, second

from wsload.commands.new.scaffold import files, protocols
from wsload.judge.run.check_file import read_checks
from wsload.measure.names import Kind

yaml = pytest.importorskip("yaml")
fastjsonschema = pytest.importorskip("fastjsonschema")

ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
WORKFLOWS = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
} | {f"wsload new -p {name}": files(name)[".github/workflows/load.yml"] for name in protocols()}


def schema(name: str) -> Any:
    return fastjsonschema.compile(json.loads((ROOT / "tests" / "schemas" / f"{name}.json").read_bytes()))


def workflow(text: str) -> dict[str, Any]:
    found = yaml.safe_load(text)
    # YAML 1.1 reads the key "on" as true; GitHub reads YAML 1.2.
    return {"on" if key is True else key: value for key, value in found.items()}


def test_the_action_is_one_for_github() -> None:
    schema("github-actions")(ACTION)
    with pytest.raises(fastjsonschema.JsonSchemaException):
        schema("github-actions")({**ACTION, "runs": {"using": "composite", "step": []}})


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_workflows_are_some_for_github(name: str) -> None:
    found = workflow(WORKFLOWS[name])
    schema("github-workflows")(found)
    with pytest.raises(fastjsonschema.JsonSchemaException):
        schema("github-workflows")({**found, "jobs": {"load": {"run-on": "ubuntu-latest"}}})


def test_the_project_s_workflow_uses_the_action_with_inputs_that_it_has() -> None:
    (job,) = workflow(WORKFLOWS[".github/workflows/load.yml"])["jobs"].values()
    (step,) = [step for step in job["steps"] if step.get("uses") == "./"]
    assert step["with"].keys() <= ACTION["inputs"].keys()
    assert (ROOT / step["with"]["locustfile"]).is_file()
    assert len(read_checks(ROOT / step["with"]["checks"])) == 3


def test_no_text_of_others_is_put_into_a_script() -> None:
    """``${{ … }}`` inside a script is pasted in before the shell reads it; variables are not."""
    for step in [
        *STEPS,
        *(s for text in WORKFLOWS.values() for s in workflow(text)["jobs"]["load"]["steps"]),
    ]:
        assert "${{" not in step.get("run", ""), step["run"]


def test_every_input_is_used_and_every_use_is_an_input() -> None:
    text = json.dumps(ACTION["runs"])
    used = set(re.findall(r"inputs\.([\w-]+)", text))
    assert used == set(ACTION["inputs"])
    names = {step["id"] for step in STEPS if "id" in step}
    assert set(re.findall(r"steps\.([\w-]+)\.", json.dumps(ACTION))) <= names


def test_the_hooks_call_what_the_project_has() -> None:
    found = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    hooks = [hook for repo in found["repos"] for hook in repo["hooks"]]
    assert {hook["id"] for hook in hooks} == {"ruff", "ruff-format", "mypy"}
    tools = Path(sys.executable).parent
    for hook in hooks:
        program, *words = hook["entry"].split()
        assert hook["language"] == "system" and program.startswith(".venv/bin/")
        done = subprocess.run(
            [tools / Path(program).name, *words, "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


class Runner:
    """A job on GitHub's runner, as far as the steps' scripts see it."""

    def __init__(self, directory: Path, **inputs: str) -> None:
        self.directory, self.temp = directory, directory / "temp"
        self.programs = directory / "programs"
        for path in (self.temp, self.programs):
            path.mkdir()
        for name in ("locust", "wsload"):
            self.program(name, f'exec "{sys.executable}" -m {name} "$@"')
        defaults = {name: found.get("default", "") for name, found in ACTION["inputs"].items()}
        self._known = {f"inputs.{name}": value for name, value in {**defaults, **inputs}.items()}
        self._known |= {"github.sha": "abc123", "github.token": "t0ken", "github.repository": "me/mine"}
        self._known = {
            name: self._value(value) for name, value in self._known.items()
        }  # defaults refer to github

    def program(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/usr/bin/env bash\n{script}\n", "utf-8")
        path.chmod(0o755)

    def _value(self, text: str) -> str:
        def replaced(found: re.Match[str]) -> str:
            values = (self._known.get(each.strip(), "") for each in found[1].split("||"))
            return next(filter(None, values), "")

        return re.sub(r"\$\{\{(.*?)\}\}", replaced, text)

    def step(self, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a step's script as GitHub does; its outputs are there for later steps."""
        (step,) = [step for step in STEPS if step.get("name") == name]
        assert step["shell"] == "bash"
        output, summary = self.temp / "output", self.temp / "summary"
        output.write_text("")
        own = {key: self._value(value) for key, value in step.get("env", {}).items()}
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("LOCUST_", "GITHUB_"))
        }
        done = subprocess.run(
            [shutil.which("bash") or "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.directory,
            env={
                **inherited, **own, **environment,
                "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
                "RUNNER_TEMP": str(self.temp), "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary),
                "GITHUB_PATH": str(self.temp / "path"), "GITHUB_WORKFLOW": "load",
            },
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        for line in output.read_text().splitlines():
            key, _, value = line.partition("=")
            self._known[f"steps.{step.get('id')}.outputs.{key}"] = value
        return done

    def output(self, name: str) -> str:
        return self._known.get(f"steps.{name}", "")


def test_a_load_with_its_report(tmp_path: Path) -> None:
    (tmp_path / "checks.txt").write_text("lost < 1\nfailures < 1\n")
    options = "--ws-rate\n50\n--ws-allow-invalid\n"
    runner = Runner(
        tmp_path,
        locustfile=str(CHAT),
        users="5",
        runs="2",
        checks="checks.txt",
        options=options,
        **{"run-time": "2s"},
    )
    done = runner.step("Load")
    assert done.returncode == 0, done.stderr
    assert runner.output("load.outputs.code") == "0", done.stdout
    results = Path(runner.output("load.outputs.results"))
    runs = [json.loads(path.read_bytes()) for path in results.glob("*/run.json")]
    assert len(runs) == 2
    assert all(run["build"] == "abc123" and run["options"]["ws_rate"] == "50" for run in runs)
    assert all([check["passed"] for check in run["checks"]] == [True, True] for run in runs)
    shown = runner.step("Show the figures on the job's page")
    assert shown.returncode == 0, shown.stderr
    assert "message" in (runner.temp / "summary").read_text("utf-8")
    assert (results / "history.html").is_file() and len([*results.glob("*/report.html")]) == 2
    assert runner.step("Verdict").returncode == 0


def test_a_check_that_fails_fails_the_job_after_all_was_kept(tmp_path: Path) -> None:
    (tmp_path / "checks.txt").write_text("message.p50 < 1ns\n")
    runner = Runner(tmp_path, locustfile=str(CHAT), users="20", checks="checks.txt", **{"run-time": "4s"})
    done = runner.step("Load", LOCUST_WS_ALLOW_INVALID="true")
    assert done.returncode == 0, "the report is made and kept all the same"
    assert runner.output("load.outputs.code") == "1"
    verdict = runner.step("Verdict")
    assert verdict.returncode == 1 and "::error title=wsload::exit code 1" in verdict.stdout


@pytest.mark.parametrize(
    ("codes", "tolerate", "worst", "verdict"),
    [
        ("0 0", "4", 0, 0), ("0 3", "4", 3, 3), ("3 0", "3 4", 3, 0), ("3 4", "3 4", 3, 0),
        ("3 5", "3 4", 5, 5), ("5 3", "3 4", 5, 5), ("3 5 1", "3 4", 1, 1), ("1 5 3", "3 4", 1, 1),
        ("5 1", "1 3", 5, 5), ("3 7 5", "4", 3, 3),
    ],
)  # fmt: skip
def test_the_worst_of_several_runs_is_one_that_is_not_tolerated(
    tmp_path: Path, codes: str, tolerate: str, worst: int, verdict: int
) -> None:
    runner = Runner(tmp_path, runs=str(len(codes.split())), tolerate=tolerate)
    (tmp_path / "codes").write_text("\n".join(codes.split()) + "\n")
    runner.program("locust", 'code=$(head -n 1 codes); sed -i 1d codes; exit "$code"')
    done = runner.step("Load")
    assert done.returncode == 0, done.stderr
    assert runner.output("load.outputs.code") == str(worst)
    assert runner.step("Verdict").returncode == verdict


def stored(results: Path, build: str, number: int, scale: float) -> None:
    for run in range(number):
        at = 100 * run
        latencies_ms = [scale * (1 + 0.1 * (v % 7)) for v in range(200)]
        seconds = [second(at + n, latencies_ms, names={"message": Kind.REQUEST}) for n in range(5)]
        make_run(results, seconds, build=build, started_at=STARTED_AT + at)


@pytest.mark.parametrize(
    ("scale", "codes", "verdict"), [(1.0, {"0", "4"}, 0), (3.0, {"1"}, 1)], ids=["like it", "slower"]
)
def test_the_baseline_comes_from_the_artifacts_of_its_branch(
    tmp_path: Path, scale: float, codes: set[str], verdict: int
) -> None:
    runner = Runner(tmp_path, baseline="main", artifact="load", **{"baseline-runs": "2"})
    stored(tmp_path / "kept", "old", 5, 1.0)
    stored(runner.temp / "wsload-results", "new", 5, scale)
    runner._known |= {
        "steps.load.outputs.results": str(runner.temp / "wsload-results"),
        "steps.load.outputs.code": "0",
    }
    runner.program(
        "gh",
        f"""
        echo "$GH_TOKEN $GH_REPO $*" >>"{tmp_path}/asked"
        if [ "$2" = list ]; then
          echo pull_request 10; echo push 11; echo pull_request_target 9; echo schedule 12; echo push 8
        fi
        if [ "$2" = download ]; then
          [ "$3" = 11 ] || exit 1  # the second has expired
          mkdir -p "$7" && cp -r "{tmp_path}/kept/." "$7"
        fi""",
    )
    done = runner.step("Compare with the baseline")
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[0].startswith(
        "t0ken me/mine run list --branch main --workflow load --status success --limit 100 "
    )
    assert [line.split()[4] for line in asked[1:]] == ["11", "12"], "of others' branches, or one too many"
    assert "run 12 has no artifact load" in done.stdout
    assert runner.output("compare.outputs.code") in codes, done.stdout + done.stderr
    assert "message" in (runner.temp / "summary").read_text("utf-8")
    assert runner.step("Verdict").returncode == verdict


@pytest.mark.parametrize(
    ("runs", "told"),
    [(1, "There is no baseline of main yet"), (0, "This job left no results")],
    ids=["the first time", "a job that failed"],
)
def test_nothing_is_compared_where_a_side_is_missing(tmp_path: Path, runs: int, told: str) -> None:
    runner = Runner(tmp_path, baseline="main")
    runner.program("gh", "true")
    stored(tmp_path, "new", runs, 1.0)
    done = runner.step("Compare with the baseline", RESULTS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert told in done.stdout
    assert runner.output("compare.outputs.code") == ""


@pytest.mark.parametrize(
    ("codes", "tolerate", "verdict"),
    [
        (("0", ""), "4", 0), (("0", "4"), "4", 0), (("0", "4"), "", 4), (("3", ""), "3 4", 0),
        (("3", ""), "4", 3), (("1", "0"), "3 4", 1), (("0", "1"), "3 4", 1),
    ],
)  # fmt: skip
def test_the_verdict(tmp_path: Path, codes: tuple[str, str], tolerate: str, verdict: int) -> None:
    runner = Runner(tmp_path, tolerate=tolerate)
    runner._known |= {"steps.load.outputs.code": codes[0], "steps.compare.outputs.code": codes[1]}
    assert runner.step("Verdict").returncode == verdict


@pytest.mark.parametrize(
    ("given", "installed"),
    [("", "/action[http,prometheus]"), ("wsload==1; evil", "wsload==1; evil")],
    ids=["its own", "another"],
)
def test_wsload_is_installed_into_an_environment_of_its_own(
    tmp_path: Path, given: str, installed: str
) -> None:
    runner = Runner(tmp_path, wsload=given)
    runner.program("python", f'mkdir -p "$3/bin"; cp "{runner.programs}/pip" "$3/bin/pip"')
    runner.program("pip", f'printf "%s\\n" "$@" >"{tmp_path}/asked"')
    done = runner.step("Install wsload", GITHUB_ACTION_PATH="/action")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").read_text().splitlines() == ["install", "--quiet", installed]
    assert (runner.temp / "path").read_text().strip() == str(runner.temp / "wsload" / "bin")


def scripts() -> Iterator[tuple[str, str]]:
    for name, text in WORKFLOWS.items():
        for step in workflow(text)["jobs"]["load"]["steps"]:
            if "run" in step:
                yield name, step["run"]
    for step in STEPS:
        if "run" in step:
            yield "action.yml", step["run"]


@pytest.mark.parametrize(("name", "script"), list(scripts()))
def test_every_script_is_one_that_bash_reads(name: str, script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{name}: {done.stderr}"


def test_locust_takes_the_command_of_every_scaffold(tmp_path: Path) -> None:
    settings: Mapping[str, str] = {"GITHUB_SHA": "abc"}
    texts = files("chat")
    (script,) = [
        text for name, text in scripts() if name == "wsload new -p chat" and text.startswith("locust")
    ]
    for name in ("locustfile.py", "checks.txt"):
        (tmp_path / name).write_text(texts[name], "utf-8")
    runner = Runner(tmp_path)
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script.replace("-t 30s", "-t 8s")],
        cwd=tmp_path,
        env={
            **os.environ, **settings, "PATH": f"{runner.programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT), "LOCUST_WS_ALLOW_INVALID": "true", "LOCUST_SKIP_MONKEY_PATCH": "",
        },
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
