"""``wsload new``: what it writes runs as it is, against the service that it is for, and passes its checks."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from support.locust_run import ROOT, Finished
from support.services import mosquitto, node, rabbitmq, token_chat
from support.undisturbed import undisturbed

from wsload.commands.new.scaffold import EXPECTED, files, host_of, protocols, source_of
from wsload.judge.run.check_file import read_checks

yaml = pytest.importorskip("yaml")

RunLocust = Callable[..., Finished]


def new(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wsload", "new", *arguments], cwd=directory, capture_output=True, text=True
    )


def assert_runs(run_locust: RunLocust, directory: Path, protocol: str, port: int | None) -> None:
    done = new(directory, "-p", protocol)
    assert done.returncode == 0, done.stderr
    host = [] if port is None else ["--host", f"ws://127.0.0.1:{port}"]
    load = ["--headless", "--only-summary", "-u", "20", "-r", "20", "-t", "6s", "--exit-code-on-error", "0"]
    with undisturbed():
        finished = run_locust("-f", "locustfile.py", *load, "--ws-checks", "checks.txt", *host)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert len(finished.run["checks"]) == 4
    assert all(check["passed"] for check in finished.run["checks"]), finished.run["checks"]
    assert finished.count(EXPECTED[protocol].name) > 3


@pytest.mark.xdist_group("timing")
def test_the_chat_needs_no_server(run_locust: RunLocust, tmp_path: Path) -> None:
    assert_runs(run_locust, tmp_path, "chat", None)


@pytest.mark.xdist_group("timing")
@pytest.mark.parametrize("protocol", ["jsonrpc", "socketio", "graphql"])
def test_services_on_node(run_locust: RunLocust, tmp_path: Path, node_modules: Path, protocol: str) -> None:
    with node(f"{protocol}.js", node_modules) as port:
        assert_runs(run_locust, tmp_path, protocol, port)


@pytest.mark.xdist_group("timing")
@pytest.mark.parametrize("protocol", ["mqtt", "room-chat", "stomp", "token-chat"])
def test_other_services(run_locust: RunLocust, tmp_path: Path, protocol: str) -> None:
    broker = tmp_path / "broker"
    broker.mkdir()
    servers: dict[str, Callable[[], contextlib.AbstractContextManager[int]]] = {
        "mqtt": lambda: mosquitto(broker),
        "stomp": lambda: rabbitmq(broker),
        "token-chat": token_chat,
        "room-chat": token_chat,
    }
    with servers[protocol]() as port:
        assert_runs(run_locust, tmp_path, protocol, port)


def test_every_example_has_its_checks() -> None:
    assert set(protocols()) == set(EXPECTED)
    assert {f"{path.stem.replace('_', '-')}" for path in (ROOT / "locustfiles").glob("*.py")} == set(
        protocols()
    )


@pytest.mark.parametrize("protocol", protocols())
def test_what_is_written_fits_together(protocol: str, tmp_path: Path) -> None:
    texts = files(protocol)
    locustfile = texts["locustfile.py"]
    compile(locustfile, "locustfile.py", "exec")
    assert "locustfiles/" not in locustfile
    assert "# What to change" in locustfile and "# - `@task`" in locustfile
    example = (ROOT / "locustfiles" / f"{protocol.replace('-', '_')}.py").read_text("utf-8")
    body = example[example.index('"""', 3) + 4 :]
    assert locustfile.endswith(body), "the example itself, unchanged"
    (tmp_path / "checks.txt").write_text(texts["checks.txt"], "utf-8")
    assert read_checks(tmp_path / "checks.txt")[0].name == EXPECTED[protocol].name
    workflow = texts[".github/workflows/load.yml"]
    steps = yaml.safe_load(workflow)["jobs"]["load"]["steps"]
    (command,) = [step["run"] for step in steps if step.get("run", "").startswith("locust")]
    assert ("--host" in command) == (host_of(example) != "") == (protocol != "chat")
    assert yaml.safe_load(workflow)["env"] == {
        "WSLOAD": "wsload[http]" if "self.http" in example else "wsload"
    }
    assert host_of(example) in workflow and f"--host {host_of(example)}".strip() in command + "--host"


@pytest.mark.parametrize(
    ("direct_url", "requirement"),
    [
        (None, "wsload==0.1.0"),
        (
            {"url": "https://git.example.org/wsload", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "wsload @ git+https://git.example.org/wsload@abc",
        ),
        (
            {"url": "https://example.org/wsload.whl", "archive_info": {}},
            "wsload @ https://example.org/wsload.whl",
        ),
        ({"url": "file:///src/wsload", "dir_info": {"editable": True}}, None),
        ({"url": "file:///src/wsload", "vcs_info": {"vcs": "git", "commit_id": "abc"}}, None),
    ],
)
def test_ci_installs_the_wsload_that_wrote_it(
    direct_url: dict[str, object] | None, requirement: str | None
) -> None:
    source = source_of("0.1.0", None if direct_url is None else json.dumps(direct_url))
    assert (None if source is None else f"wsload{source}") == requirement
    if source is not None:
        workflow = yaml.safe_load(files("chat", source)[".github/workflows/load.yml"])
        assert workflow["env"]["WSLOAD"] == requirement
        Requirement(str(requirement))


def test_it_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "checks.txt").write_text("mine")
    done = new(tmp_path)
    assert done.returncode == 2
    assert done.stderr == ("wsload: checks.txt exists: nothing was written; name another directory\n")
    assert [path.name for path in tmp_path.iterdir()] == ["checks.txt"]
    assert (tmp_path / "checks.txt").read_text() == "mine"


def test_it_says_what_to_do_next(tmp_path: Path) -> None:
    done = new(tmp_path, "my load", "--protocol", "jsonrpc")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "my load/locustfile.py"
    assert done.stdout.splitlines()[-1] == (
        "Next: cd 'my load' && locust -f locustfile.py --headless -u 20 -r 10 -t 30s --ws-checks checks.txt"
        " --host ws://127.0.0.1:9000"
    )


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    done = new(tmp_path, "--protocol", "smtp")
    assert done.returncode == 2
    assert done.stderr == f"wsload: --protocol 'smtp': there is an example for {', '.join(protocols())}\n"
    (tmp_path / "file").write_text("")
    done = new(tmp_path, "file")
    assert done.returncode == 2
    assert done.stderr == "wsload: file/locustfile.py: can't be written (File exists)\n"
