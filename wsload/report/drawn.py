"""Figures for the pages' charts: in ms, with no more digits than can be seen, which saves bytes."""

from __future__ import annotations

from typing import Final

from wsload.judge.figures.shape import Shape

RESOLUTION: Final = 3
"""Digits of the histograms' values."""


def short(value: float, digits: int = RESOLUTION) -> float:
    """Rounded to so many digits, but to no less than a whole number."""
    return round(value) if abs(value) >= 10 ** (digits - 1) else float(f"{value:.{digits}g}")


def in_ms(value_ns: float | None, digits: int = RESOLUTION) -> float | None:
    """In ms; a zero, which is below the histograms' resolution, can't be drawn on a logarithmic axis."""
    return short(value_ns / 1e6, digits) if value_ns else None


def curve(shape: Shape, digits: int = RESOLUTION) -> dict[str, list[float | None]]:
    """The values at all percentiles."""
    return {
        "at": [round(percentile, 6) for percentile in shape.percentiles],
        "ms": [in_ms(value, digits) for value in shape.values_ns],
    }
