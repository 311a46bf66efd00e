"""Printing results: bytes and text on standard output, and a copy for a CI job's summary."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from wsload.words import printable


def write(data: bytes) -> None:
    """Writes bytes to standard output."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def write_text(text: str) -> None:
    """Writes text to standard output; a terminal that can't show a character shows ``?``."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    write(text.encode(encoding, "replace"))


def say(text: str) -> None:
    """Writes lines to standard error, so that standard output has the result alone; what is foreign in them can't steer
    a terminal.
    """
    print("\n".join(map(printable, text.split("\n"))), file=sys.stderr, flush=True)


def add_to_job_summary(markdown: Callable[[], str]) -> None:
    """Adds Markdown to the file that ``GITHUB_STEP_SUMMARY`` names, if it does."""
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(markdown())
        except OSError as error:  # the verdict matters more than its copy
            say(f"wsload: GITHUB_STEP_SUMMARY {summary!r}: {error.strerror}")
