"""A file of checks: one a line, as in `wsload.judge.run.grammar`; empty lines and those that begin with # say nothing."""

from __future__ import annotations

from pathlib import Path

from wsload.errors import UsageError
from wsload.judge.run.grammar import Check, parse_check
from wsload.measure.names import Labels


def read_checks(path: Path, known: Labels | None = None) -> tuple[Check, ...]:
    """The checks in a file, in order; ``known`` as in `parse_check`.

    Raises `UsageError` for a file that can't be read or has no checks, and for a check that can't be
    understood, with the number of its line.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UsageError("is not text in UTF-8") from None
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                found.append(parse_check(line, known))
            except UsageError as error:
                raise UsageError(f"line {number}: {error}") from None
    if not found:
        raise UsageError("has no checks: write one a line, such as message.p99 < 50ms")
    return tuple(found)
