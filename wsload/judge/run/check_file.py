"""Reads checks from a file, with one check or #-comment per line, or from a project's pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

from wsload.errors import UsageError
from wsload.judge.run.grammar import Check, parse_check


def read_checks(path: Path) -> tuple[Check, ...]:
    """The checks in a file, in order.

    Raises `UsageError` for a file that can't be read or has no checks, and for a check that can't be
    understood, with the number of its line.
    """
    try:
        text = path.read_text("utf-8-sig")  # some editors begin a file with a mark
    except OSError as error:
        raise UsageError(f"can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UsageError("is not text in UTF-8") from None
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                found.append(parse_check(line))
            except UsageError as error:
                raise UsageError(f"line {number}: {error}") from None
    if not found:
        raise UsageError("has no checks: write one a line, such as message.p99 < 50ms")
    return tuple(found)


def project_checks(path: Path) -> tuple[Check, ...]:
    """The checks of ``[tool.wsload]`` in a project's file, none where there is no such file.

    Raises `UsageError` for a file that can't be read, and for what is not a list of checks.
    """
    if not path.is_file():
        return ()
    try:
        found = tomllib.loads(path.read_text("utf-8-sig")).get("tool", {}).get("wsload", {}).get("checks", [])
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise UsageError(f"{path}: [tool.wsload] checks must be a list of strings, such as ['lost < 1']")
    return tuple(parse_check(text) for text in found)
