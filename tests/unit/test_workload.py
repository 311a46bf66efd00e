"""What is on record about a run's workload."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from wsload.load.run.workload import workload
from wsload.load.users.waits import constant_rate


def settings(**more: Any) -> Any:
    found = {"rate": 0.0, "poisson": False, "profile": None, "opening": SimpleNamespace(ping_interval_s=20.0)}
    found["paced"] = bool(more.get("rate"))
    return SimpleNamespace(**{**found, **more})


def user_class(name: str, wait_time: Any) -> Any:
    return type(name, (), {"weight": 3, "fixed_count": 0, "wait_time": wait_time})


class WithFile:
    """A class with a file."""

    weight = 1
    fixed_count = 0
    wait_time = None


def test_a_workload_says_whether_it_is_open_and_how_long_users_wait() -> None:
    def between(low: float, high: float) -> Any:
        return lambda _: (low, high)

    closed, opened = user_class("Closed", between(1, 2)), user_class("Opened", constant_rate(5))
    assert workload([closed], settings())["kind"] == "closed"
    assert workload([opened], settings())["kind"] == "open"
    both = workload([opened, closed], settings())
    assert both["kind"] == "mixed"
    assert both == workload([closed, opened], settings())
    assert both["user_classes"]["Opened"]["wait_time"] == "constant_rate(5)"  # type: ignore[index]
    assert both["user_classes"]["Closed"]["wait_time"].endswith("between(high=2, low=1)")  # type: ignore[index]
    rated = workload([closed], settings(rate=200.0, poisson=True))
    assert (rated["kind"], rated["rate"]) == ("open", "poisson:200")


def test_the_file_of_a_user_class_is_on_record_with_its_hash() -> None:
    found = workload([WithFile], settings())
    assert list(found["locustfile"]) == ["test_workload.py"]  # type: ignore[call-overload]


def test_the_commit_is_asked_for_without_touching_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git writes its index anew when a file's time has changed, and leaves a lock behind if the disk is full."""

    def git(*words: str) -> None:
        who = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    file = tmp_path / "load.py"
    file.write_text("class Kept: ...\n")
    git("init", "--quiet")
    git("add", "load.py")
    git("commit", "--quiet", "--message", "first")
    os.utime(file, (0, 0))
    index = (tmp_path / ".git" / "index").read_bytes()
    module = ModuleType("kept")
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, "kept", module)
    kept = user_class("Kept", None)
    kept.__module__ = "kept"
    found = workload([kept], settings())
    assert len(str(found["commit"])) == 40 and found["dirty"] is False
    assert (tmp_path / ".git" / "index").read_bytes() == index
