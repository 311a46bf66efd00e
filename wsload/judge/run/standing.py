"""Whether a stored run's figures can be vouched for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from wsload.results.run import RunInfo


class Standing(StrEnum):
    """The word that every list and report says of a run."""

    VALID = "valid"
    INVALID = "not valid"
    INCOMPLETE = "incomplete"
    """It has no end, or a file of it is missing or damaged."""


def standing(info: RunInfo, problems: Sequence[str]) -> Standing:
    """The standing of a run with these problems of its files.

    *Not valid* weighs more than *incomplete*: the figures are wrong, not only fewer.
    """
    if info.valid is False:
        return Standing.INVALID
    return Standing.VALID if info.valid and not problems else Standing.INCOMPLETE
