"""Which runs belong to which side of a comparison."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from wsload.commands.cli.compat import SpreadCommand
from wsload.commands.cli.output import say
from wsload.commands.cli.runs import LATEST, find_run, runs_of
from wsload.errors import ResultsError, UsageError

_SIDES: Final = ("--a", "--b")
_FIELDS: Final = ("build", "name")


class ManyPaths(SpreadCommand):
    """A command whose ``--a`` and ``--b`` take all words up to the next option.

    The shell may then expand their patterns: ``--a results/*-v1 --b results/*-v2``.
    """

    def spread(self, words: Sequence[str]) -> list[str]:
        """Gives each word its own ``--a``."""
        return spread(words)


def spread(words: Sequence[str]) -> list[str]:
    """``--a x y --force`` as ``--a=x --a=y --force``."""
    found: list[str] = []
    option = ""
    for word in words:
        if word.startswith("-"):
            option = word if word in _SIDES else ""
            if not option:
                found.append(word)
        else:
            found.append(f"{option}={word}" if option else word)
    return found


def two(words: Sequence[str], results: Path) -> tuple[list[Path], list[Path]]:
    """The runs of each side, the baseline first; raises `UsageError` for any other number of words."""
    if len(words) != 2:
        raise UsageError(
            f"expected two runs or builds, not {len(words)}: for several per side, use --a RUN… --b RUN…"
        )
    return named(words[0], results), named(words[1], results)


def named(word: str, results: Path) -> list[Path]:
    """A run, or every run of the build with this label."""
    return [find_run(word, results)] if word == LATEST else runs_of(word, results)


def matching(option: str, patterns: Sequence[str] | None, results: Path) -> list[Path]:
    """The runs named by one side's words (directories, names or patterns), each once."""
    if not patterns:
        raise UsageError(f"{option} is missing: both sides need runs")
    found: dict[Path, None] = {}
    for pattern in patterns:
        if not glob.has_magic(pattern) or Path(pattern).is_dir():
            found |= dict.fromkeys(named(pattern, results))
            continue
        paths = [*glob.glob(pattern), *glob.glob(str(results / pattern))]
        hits = sorted(path for path in map(Path, paths) if (path / "run.json").is_file())
        if not hits:
            raise UsageError(f"{option} {pattern!r}: no run matches, neither here nor in {results}")
        found |= dict.fromkeys(hits)
    return list(found)


def selected(option: str, condition: str | None, results: Path) -> list[Path]:
    """The runs in the results directory that match FIELD=PATTERN."""
    from wsload.results.reader import find_runs, open_run

    if not condition:
        raise UsageError(f"{option} is missing: both sides need runs")
    field, equals, pattern = condition.partition("=")
    if not equals or field not in _FIELDS or not pattern:
        raise UsageError(f"{option} {condition!r}: use build=LABEL or name=PATTERN")
    found = []
    for path in find_runs(results):
        try:
            run = open_run(path)
        except ResultsError as error:
            say(f"wsload compare: ignored: {error}")
            continue
        if fnmatchcase(run.info.build if field == "build" else path.name, pattern):
            found.append(path)
    if not found:
        raise UsageError(f"{option} {condition!r}: no run in {results} matches: see wsload list")
    return found
