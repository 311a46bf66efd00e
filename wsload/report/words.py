"""The sentences that all reports of a run begin with."""

from __future__ import annotations

from typing import Final

from wsload.judge.run.standing import Standing
from wsload.report.run_report import RunReport
from wsload.results.run import RunWarning

VERDICTS: Final = {
    Standing.VALID: "The load generator kept up.",
    Standing.INVALID: "Don’t trust these figures: the load generator can’t vouch for them.",
    Standing.INCOMPLETE: "These figures were rebuilt from what the run left behind.",
}
"""What a run's standing means for its reader."""


def checks_said(report: RunReport) -> str:
    """How many checks failed, in one sentence; empty without checks."""
    checks = report.info.checks
    failed = sum(not check.passed for check in checks)
    if failed:
        return f"{failed} of {len(checks)} {'check' if len(checks) == 1 else 'checks'} failed."
    return "All checks passed." if checks else ""


def doubts(report: RunReport) -> tuple[RunWarning, ...]:
    """The run's warnings, worst first, and what is missing of its files."""
    warnings = sorted(report.info.warnings, key=lambda warning: not warning.invalidates)
    return (*warnings, *(RunWarning(name="files", text=problem) for problem in report.problems))


def printable(text: str) -> str:
    """The text in one line, its control characters replaced: they steer terminals, and XML forbids them."""
    return "".join(
        character if character.isprintable() else " " if character.isspace() else "\ufffd"
        for character in text
    )
