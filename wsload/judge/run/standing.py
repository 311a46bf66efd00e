"""Whether a stored run's figures can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

from wsload.results.run import RunInfo
from wsload.results.trust import Standing


def standing(info: RunInfo, problems: Sequence[str]) -> Standing:
    """The standing of a run with these problems of its files.

    What makes figures useless weighs more than *incomplete*: they are wrong then, and not only fewer.
    """
    if info.trust is None:
        return Standing.INCOMPLETE
    found = info.trust.standing
    return Standing.INCOMPLETE if problems and found.usable else found


def verdict_of(info: RunInfo, standing: Standing) -> str:
    """The verdict on a run of this standing, for people: one sentence without its full stop."""
    if standing is not Standing.INCOMPLETE:
        assert info.trust is not None
        return info.trust.verdict
    return "Incomplete: these figures were rebuilt from the files that the run left"


def unusable(info: RunInfo, problems: Sequence[str]) -> str:
    """Why nothing of a run can be used for a comparison, in one sentence; empty where something can.

    A run that is trusted up to p95 serves p50 and p95: what it is not trusted for is left out by name, there.
    """
    found = standing(info, problems)
    if found is Standing.INCOMPLETE:
        return f"{found}: {'; '.join(problems) or 'it was never judged'}"
    return "" if found.usable else verdict_of(info, found)
