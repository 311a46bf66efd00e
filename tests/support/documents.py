"""What stands in the documentation: its pages, code blocks and commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from support.locust_run import ROOT

DOCS: Final = ROOT / "docs"
PAGES: Final = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
_BLOCK: Final = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<mark>[^>]+) -->\n *)?```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```",
    re.DOTALL | re.MULTILINE,
)
_BEFORE: Final = {"sudo": 0, "chrt": 2, "taskset": 2, "nice": 2}
"""Commands that begin another, and how many words of their own follow."""


def blocks(page: Path, language: str) -> Iterator[tuple[str, str]]:
    """The mark and the text of every code block in this language; the mark is a comment before it, or empty."""
    for found in _BLOCK.finditer(page.read_text("utf-8")):
        if found["language"] == language:
            text = re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
            yield found["mark"] or "", text


def marked(page: Path, language: str, mark: str) -> list[str]:
    """The blocks with this mark."""
    return [text for found, text in blocks(page, language) if found == mark]


def typed(text: str) -> list[str]:
    """The commands of a console block or a script; one that ends with a backslash goes on in the next line."""
    return [line.removeprefix("$ ") for line in text.replace("\\\n", " ").splitlines()]


def commands(page: Path) -> Iterator[list[str]]:
    """Every ``locust`` and ``wsload`` command of the page, in its console blocks and in what CI runs."""
    for _, text in blocks(page, "console"):
        for line in typed(text):
            yield from _commands(line)
    for _, text in blocks(page, "yaml"):
        for script in _scripts(yaml.safe_load(text)):
            for line in typed(script):
                yield from _commands(line)


def _commands(line: str) -> Iterator[list[str]]:
    words = shlex.split(line, comments=True)
    words = words[: next((at for at, word in enumerate(words) if re.fullmatch(r"[|&;]+|>.*", word)), None)]
    while words and words[0] in _BEFORE:
        words = words[1 + _BEFORE[words[0]] :]
    if words and words[0] in ("locust", "wsload"):
        yield words


def _scripts(found: Any) -> Iterator[str]:
    """The texts that a CI's file runs."""
    if isinstance(found, dict):
        for key, value in found.items():
            if key in ("run", "script", "after_script"):
                yield from [value] if isinstance(value, str) else value
            else:
                yield from _scripts(value)
    elif isinstance(found, list):
        for value in found:
            yield from _scripts(value)
