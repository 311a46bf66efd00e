"""The standing of stored runs, whose files may be incomplete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from wsload.results.run import RunInfo, RunWarning
from wsload.results.trust import Standing

CUT_SHORT: Final = "cut-short"
"""The name of the warning that users did not stop and were dropped."""


def cut_short(warnings: Iterable[RunWarning]) -> bool:
    """Whether a run with these warnings was cut short. Its figures are never trusted, nor judged by any option."""
    return any(warning.name == CUT_SHORT for warning in warnings)


def standing(info: RunInfo, problems: Sequence[str]) -> Standing:
    """The standing of a run whose files have these problems.

    If its figures can't be used, it stays that way rather than *incomplete*: they are wrong, not just incomplete.
    """
    if info.trust is None:
        return Standing.INCOMPLETE
    found = info.trust.standing
    return Standing.INCOMPLETE if problems and found.usable else found


def verdict_of(info: RunInfo, standing: Standing) -> str:
    """The verdict on a run with this standing: one sentence without its full stop."""
    if standing is not Standing.INCOMPLETE:
        assert info.trust is not None
        return info.trust.verdict
    return "Incomplete: these figures were rebuilt from the files that the run left"


def unusable(info: RunInfo, problems: Sequence[str]) -> str:
    """Why nothing of a run can be used for a comparison, in one sentence; empty if something can.

    A run that is trusted up to p95 can be used for p50 and p95; the comparison leaves out the rest, by name.
    """
    found = standing(info, problems)
    if found is Standing.INCOMPLETE:
        return f"{found}: {'; '.join(problems) or 'it was never judged'}"
    return "" if found.usable else verdict_of(info, found)
