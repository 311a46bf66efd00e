"""A build from git: a worktree in a temporary directory, set up once and removed at the end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol, Self

from wsload.children import Command, Guard, words_of
from wsload.commands.harness.builds import Build
from wsload.errors import ServerFailed, UsageError
from wsload.judge.compare.pairs import Side
from wsload.words import build_name, span

PREFIX: Final = "wsload-ab-"
"""Prefix of the temporary directories that hold worktrees."""
SETUP_TIMEOUT_S: Final = 1_800.0
_YOUNG_S: Final = 5.0
_GIT_TIMEOUT_S: Final = 120.0


def resolved(build: Build, option: str) -> Build:
    """The build with its ref's commit, which also goes into its name; unchanged if it has no ref.

    Raises `UsageError` if the current directory's git repository doesn't know the ref.
    """
    if not build.ref:
        return build
    if build.ref.startswith("-"):
        raise UsageError(f"{option} {build.ref!r}: not a git ref")
    commit = _git(
        "rev-parse", "--verify", "--quiet", f"{build.ref}^{{commit}}", what=f"{option} {build.ref!r}"
    )
    name = build.name or (build.ref if commit.startswith(build.ref) else f"{build.ref}@{commit[:7]}")
    return replace(build, commit=commit, name=name)


class Builds(Protocol):
    """A plan with two builds."""

    def build(self, side: Side) -> Build: ...


class Worktrees:
    """The worktrees of a plan's builds that have a ref; a context manager, which removes them at the end.

    Raises `UsageError` when git can't make one, `ServerFailed` when its build command fails.
    """

    def __init__(self, plan: Builds, *, logs: Path, guard: Guard) -> None:
        self._places: dict[Side, Path] = {}
        self._trees: list[Path] = []
        self._root: Path | None = None
        self._lock = -1
        remove_stale()
        try:
            for side in Side:
                if plan.build(side).ref:
                    self._add(side, plan.build(side), logs, guard)
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def cwd(self, side: Side) -> Path | None:
        """The directory in which to start that side's server; None for the current one.

        In a worktree it corresponds to the directory in which the experiment was started.
        """
        return self._places.get(side)

    def remove(self) -> None:
        """Removes everything; may be called again."""
        while self._trees:
            tree = self._trees.pop()
            # --force twice also removes a worktree that an interrupted checkout left locked.
            with contextlib.suppress(UsageError):
                _git("worktree", "remove", "--force", "--force", str(tree), what="git")
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            os.close(self._lock)
            self._root = None

    def _add(self, side: Side, build: Build, logs: Path, guard: Guard) -> None:
        letter = side.letter
        prefix = _git("rev-parse", "--show-prefix", what="git")
        if self._root is None:
            self._root = Path(tempfile.mkdtemp(prefix=PREFIX))
            self._lock = os.open(self._root, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        tree = self._root / letter.lower()
        what = f"git worktree for {build_name(letter, build.name)}"
        self._trees.append(tree)
        _git("worktree", "add", "--quiet", "--detach", str(tree), build.commit, what=what)
        place = tree / prefix
        if not place.is_dir():
            raise UsageError(f"{what}: it has no directory {prefix!r}, in which this command was started")
        self._places[side] = place
        if build.setup:
            self._set_up(build, letter, place, logs, guard)

    def _set_up(self, build: Build, letter: str, place: Path, logs: Path, guard: Guard) -> None:
        log = logs / f"build-{letter}.log"
        what = f"--build {build.setup!r} for {build_name(letter, build.name)}"
        child = Command(words_of(build.setup, "--build"), what=what, log=log, guard=guard, cwd=place)
        try:
            ended = child.wait(SETUP_TIMEOUT_S)
            code = child.returncode
        finally:
            child.stop()
        if not ended:
            raise ServerFailed(f"{what} did not end within {span(SETUP_TIMEOUT_S)}", child.tail())
        if code:
            raise ServerFailed(f"{what} ended with exit code {code}; its output is in {log}", child.tail())


def remove_stale() -> None:
    """Removes worktrees and directories that were left by experiments that were killed.

    A running experiment holds a lock on its own. Directories of other users, and very new ones, are left alone.
    """
    for root in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, UsageError):
            found = root.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                continue
            if time.time() - found.st_mtime < _YOUNG_S:
                continue
            lock = os.open(root, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for tree in root.iterdir():
                    with contextlib.suppress(UsageError):
                        where = ("-C", str(tree))
                        _git(*where, "worktree", "remove", "--force", "--force", str(tree), what="git")
                shutil.rmtree(root, ignore_errors=True)
            finally:
                os.close(lock)


def _git(*words: str, what: str) -> str:
    """Git's output, in the current directory; raises `UsageError` with its error message."""
    try:
        done = subprocess.run(
            ["git", *words],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{what}: git can't be run ({error})") from None
    if done.returncode:
        said = done.stderr.strip() or "git knows no such commit here"
        raise UsageError(f"{what}: {' '.join(said.split())}")
    return done.stdout.strip()
