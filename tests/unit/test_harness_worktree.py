from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from wsload.children import Guard
from wsload.commands.ab.plan import ExperimentPlan
from wsload.commands.harness.builds import Build
from wsload.commands.harness.worktree import PREFIX, Worktrees, remove_stale, resolved
from wsload.errors import ServerFailed, UsageError
from wsload.judge.compare.pairs import Side

REF = Build(name="", url="ws://127.0.0.1:{port}", command="serve {port}", ref="v1")
PLAN = ExperimentPlan(
    a=replace(REF, name="one"),
    b=replace(REF, name="two", ref="HEAD"),
    locustfile="chat.py",
    users=1,
    spawn_rate=1,
    run_time_s=1,
)


def git(*words: str) -> str:
    settings = [
        *("-c", "user.name=T", "-c", "user.email=t@example.test"),
        *("-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"),
    ]
    done = subprocess.run(["git", *settings, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits, the first of them v1; the current directory."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    place = tmp_path / "repository"
    (place / "server").mkdir(parents=True)
    monkeypatch.chdir(place)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    git("init", "--quiet")
    for text in ("first", "second"):
        (place / "server" / "version").write_text(text)
        (place / text).touch()
        git("add", ".")
        git("commit", "--quiet", "-m", text)
        if text == "first":
            git("tag", "v1")
    return place


@pytest.fixture
def guard() -> Iterator[Guard]:
    with Guard() as guard:
        yield guard


def plan(**settings: object) -> ExperimentPlan:
    return replace(
        PLAN,
        a=replace(resolved(PLAN.a, "--a-ref"), **settings),
        b=replace(resolved(PLAN.b, "--b-ref"), **settings),
    )


def test_a_ref_is_held_to_what_it_means_now(repository: Path) -> None:
    found = resolved(REF, "--a-ref")
    assert found.commit == git("rev-parse", "v1")
    assert found.name == f"v1@{found.commit[:7]}"
    assert resolved(replace(REF, ref=found.commit), "--a-ref").name == found.commit
    assert resolved(replace(REF, name="old"), "--a-ref").name == "old"
    plain = replace(REF, ref="")
    assert resolved(plain, "--a-ref") is plain


@pytest.mark.parametrize("ref", ["v9", "--output=x", ":/", "v1 v2"])
def test_a_ref_that_git_does_not_know_is_the_users_mistake(repository: Path, ref: str) -> None:
    with pytest.raises(UsageError, match=f"--a-ref '{ref}': ") as caught:
        resolved(replace(REF, ref=ref), "--a-ref")
    assert "\n" not in str(caught.value)


def test_outside_a_repository_git_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="--a-ref 'v1': "):
        resolved(REF, "--a-ref")


def test_each_side_gets_its_own_tree_and_none_is_left(repository: Path, tmp_path: Path, guard: Guard) -> None:
    with Worktrees(plan(), logs=tmp_path, guard=guard) as trees:
        a, b = (trees.cwd(side) for side in Side)
        assert a is not None and b is not None
        assert (a / "server" / "version").read_text() == "first"
        assert (b / "server" / "version").read_text() == "second"
        (a / "untracked").touch()
    assert not a.exists() and not b.exists()
    assert git("worktree", "list").count("\n") == 0
    assert list(tmp_path.glob("wsload-ab-*")) == []


def test_servers_start_where_the_command_was_started(
    repository: Path, tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository / "server")
    with Worktrees(plan(), logs=tmp_path, guard=guard) as trees:
        place = trees.cwd(Side.BASELINE)
        assert place is not None
        assert place.name == "server"
        assert (place / "version").read_text() == "first"


def test_a_directory_that_is_not_in_the_ref_is_named(
    repository: Path, tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "new").mkdir()
    monkeypatch.chdir(repository / "new")
    with pytest.raises(UsageError, match=r"git worktree for A \(one\): it has no directory 'new/'"):
        Worktrees(plan(), logs=tmp_path, guard=guard)
    assert git("worktree", "list").count("\n") == 0
    assert list(tmp_path.glob("wsload-ab-*")) == []


def test_each_tree_is_set_up_once(repository: Path, tmp_path: Path, guard: Guard) -> None:
    with Worktrees(
        plan(setup="sh -c 'cp server/version built; echo done'"), logs=tmp_path, guard=guard
    ) as trees:
        built = [(trees.cwd(side) or tmp_path) / "built" for side in Side]
        assert [path.read_text() for path in built] == ["first", "second"]
    assert (tmp_path / "build-A.log").read_text() == "done\n"


def test_a_build_that_fails_is_quoted_and_nothing_is_left(
    repository: Path, tmp_path: Path, guard: Guard
) -> None:
    setup = "sh -c 'echo no compiler; exit 3'"
    with pytest.raises(ServerFailed, match=r"--build .* for A \(one\) ended with exit code 3") as caught:
        Worktrees(plan(setup=setup), logs=tmp_path, guard=guard)
    assert caught.value.tail == "no compiler"
    assert git("worktree", "list").count("\n") == 0
    assert list(tmp_path.glob("wsload-ab-*")) == []


def test_builds_without_a_ref_need_no_git(
    tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bare = replace(PLAN, a=replace(PLAN.a, ref=""), b=replace(PLAN.b, ref=""))
    with Worktrees(bare, logs=tmp_path, guard=guard) as trees:
        assert trees.cwd(Side.BASELINE) is None


# What a killed experiment left


def leave(tmp_path: Path, *, old: bool = True) -> Path:
    """A directory with a worktree, as SIGKILL leaves them."""
    root = tmp_path / f"{PREFIX}left"
    git("worktree", "add", "--quiet", "--detach", str(root / "a"), "v1")
    (root / "b").mkdir()
    if old:
        os.utime(root, (0, 0))
    return root


@pytest.mark.usefixtures("repository")
def test_what_nobody_holds_is_removed(tmp_path: Path) -> None:
    root = leave(tmp_path)
    remove_stale()
    assert not root.exists()
    assert git("worktree", "list").count("\n") == 0


@pytest.mark.usefixtures("repository")
def test_from_another_directory_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = leave(tmp_path)
    with monkeypatch.context() as elsewhere:
        elsewhere.chdir(tmp_path)
        remove_stale()
    assert not root.exists()
    assert git("worktree", "list").count("\n") == 0


@pytest.mark.usefixtures("repository")
def test_what_is_held_or_just_made_stays(tmp_path: Path) -> None:
    root = leave(tmp_path, old=False)
    remove_stale()
    assert root.is_dir()
    os.utime(root, (0, 0))
    held = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        remove_stale()
        assert (root / "a" / "first").exists()
    finally:
        os.close(held)


@pytest.mark.usefixtures("repository")
def test_an_experiment_holds_its_own(tmp_path: Path, guard: Guard) -> None:
    with Worktrees(plan(), logs=tmp_path, guard=guard) as trees:
        (root,) = tmp_path.glob(f"{PREFIX}*")
        os.utime(root, (0, 0))
        remove_stale()
        place = trees.cwd(Side.BASELINE)
        assert place is not None and place.is_dir()


@pytest.mark.usefixtures("repository")
def test_a_link_of_that_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "mine")
    remove_stale()
    assert (tmp_path / "mine").is_dir()
