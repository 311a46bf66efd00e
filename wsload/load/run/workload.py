"""Describes a run's workload for the record: user classes, their files and wait times, open or closed. No secrets."""

from __future__ import annotations

import hashlib
import inspect
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from wsload.load.options.settings import Settings
from wsload.load.users.locust_compat import wait_time_text
from wsload.load.users.waits import OpenWait

GIT_TIMEOUT_S: Final = 2.0
_LONGEST: Final = 200


def workload(user_classes: Iterable[Any], settings: Settings) -> dict[str, object]:
    """The workload as plain values by name; equal for runs with the same workload."""
    classes = sorted(user_classes, key=lambda each: each.__name__)
    files = sorted({path for each in classes if (path := _file(each)) is not None})
    found: dict[str, object] = {
        "kind": _kind(classes, settings),
        "user_classes": {each.__name__: _class(each) for each in classes},
        "locustfile": {path.name: _sha256(path) for path in files},
        "ping_s": settings.opening.ping_interval_s,
    }
    if settings.rate:
        found["rate"] = f"{'poisson:' if settings.poisson else ''}{settings.rate:g}"
    if settings.profile is not None:
        found["profile"] = settings.profile.text
    return found | (_git(files[0]) if files else {})


def _kind(classes: list[Any], settings: Settings) -> str:
    """``open``, ``closed``, or ``mixed`` if the classes differ."""
    if settings.paced:
        return "open"
    kinds = {"open" if isinstance(_wait_time(each), OpenWait) else "closed" for each in classes}
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _wait_time(user_class: Any) -> Any:
    return inspect.getattr_static(user_class, "wait_time", None)


def _class(user_class: Any) -> dict[str, object]:
    wait = _wait_time(user_class)
    return {
        "weight": user_class.weight,
        "fixed_count": user_class.fixed_count,
        "wait_time": _text(wait)[:_LONGEST],
    }


def _text(wait: Any) -> str:
    if wait is None:
        return "none"
    return repr(wait) if isinstance(wait, OpenWait) else wait_time_text(wait)


def _file(user_class: Any) -> Path | None:
    try:
        return Path(inspect.getfile(user_class))
    except (TypeError, OSError):  # defined in an interactive session
        return None


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _git(path: Path) -> dict[str, object]:
    """The commit of the file's repository, and whether tracked files were changed; empty if there is none."""

    def ask(*words: str) -> str:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(path.parent), *words],
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT_S,
            check=True,
        )
        return done.stdout.strip()

    try:
        return {
            "commit": ask("rev-parse", "HEAD"),
            "dirty": bool(ask("status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):
        return {}
