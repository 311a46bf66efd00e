"""Formats figures and texts for people, and parses the figures that people write. Pure.

Every table, message and page uses these functions, so that a figure reads the same everywhere: ``12.4 ms``,
``3.6 %``, ``121 kB``, ``1,204``, ``4 min 5 s``. There is a space before a unit, commas separate thousands, and
zero is ``0``. The scripts of the pages follow the same rules in ``report/assets/charts.js``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

UNITS_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
"""Units of time as people write them, in ns."""

BEFORE_UNIT: Final = re.compile(r"(?<=[0-9]) (?=(?:%|pp|µs|ms|s|min|h|B|kB|MB|GB)(?![a-zA-Z]))")
"""The space between a figure and its unit, where no line should end."""

_NUMBER: Final = r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*"
_DURATION: Final = re.compile(_NUMBER + rf"({'|'.join(UNITS_NS)})?")
_SHARE: Final = re.compile(_NUMBER + "%")
_SIZE: Final = re.compile(r"([0-9]+)\s*(B|KiB|MiB|GiB)?")
_BYTES: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, None: 1}


# Times


def ms(value_ns: float) -> str:
    """A time in ms to about three digits, without its unit: ``0.312``, ``12.4``, ``1,204``."""
    value = value_ns / 1e6
    size = abs(value)
    decimals = 3 if size < 0.9995 else 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{value:,.{decimals}f}" if value else "0"


def milliseconds(value_ns: float) -> str:
    """A time in ms to about three digits: ``12.4 ms``."""
    return f"{ms(value_ns)} ms"


def span(seconds: float) -> str:
    """A duration: ``0.084 ms``, ``1.5 s``, ``42 s``, ``4 min 5 s``, ``1 h 2 min``."""
    if 0 < seconds < 0.001:
        return milliseconds(seconds * 1e9)
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else rest, "s"))
    return " ".join(f"{value:,} {unit}" for value, unit in parts if value)


def clock(seconds: float) -> str:
    """Time elapsed since the start: ``0:42``, ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def when(seconds: float) -> str:
    """A time (seconds since the epoch): ``2026-03-01 12:00:00 UTC``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def stamp(seconds: float) -> str:
    """A time (seconds since the epoch) for use in a file name: ``20260301T120000Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


# Counts, rates and sizes


def number(count: int) -> str:
    """A count: ``1,204``."""
    return f"{count:,}"


def build_name(letter: str, name: str) -> str:
    """A build of a comparison: ``A (v1)``, or just ``A`` if it has no other name."""
    return letter if name == letter else f"{letter} ({name})"


def counted(count: int, noun: str, plural: str = "") -> str:
    """A count of something: ``1 pair``, ``1,204 pairs``; ``plural`` where an *s* is not enough."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def rate(per_second: float) -> str:
    """A rate to about three digits, without its unit: ``0.25``, ``49.9``, ``1,000``."""
    if not per_second:
        return "0"
    decimals = 2 if per_second < 9.995 else 1 if per_second < 99.95 else 0
    return f"{per_second:,.{decimals}f}"


def size(count: float, *, binary: bool = False) -> str:
    """A number of bytes: ``512 B``, ``12.4 MB``; ``binary`` for a machine's memory: ``15.6 GiB``."""
    step, units = (1024, ("KiB", "MiB", "GiB", "TiB")) if binary else (1000, ("kB", "MB", "GB", "TB"))
    unit = "B"
    for larger in units:
        if count < step - 0.5:
            break
        count, unit = count / step, larger
    return f"{count:,.0f} {unit}" if unit == "B" or count >= 99.95 else f"{count:.3g} {unit}"


def significant(value: float, digits: int) -> str:
    """A figure with so many significant digits, and never fewer before the decimal point: ``0.00483``, ``1,204``."""
    power = int(f"{value:.{digits - 1}e}".partition("e")[2])
    decimals = max(digits - 1 - power, 0) if value else 0
    return f"{value:,.{decimals}f}"


# Shares and ratios


def percent(share: float) -> str:
    """A share: ``3.6 %``, ``85 %``, ``0.0021 %``. Only 0 is shown as ``0 %``, and only 1 as ``100 %``."""
    value = 100 * share
    gap = min(abs(value), abs(100 - value))  # distance to 0 or 100, which rounding must not reach
    decimals = 1 if gap >= 0.05 or gap < 1e-9 else 1 - math.floor(math.log10(gap))
    text = f"{value:,.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.')} %"


def percent_up(share: float) -> str:
    """A share that is an upper bound, rounded up to tenths: ``4.3 %`` for 0.0421."""
    return f"{math.ceil(round(1000 * share, 6)) / 10:g} %"


def change(ratio: float) -> str:
    """A ratio as a change: ``+10.0 %``, or as a factor if it is large: ``×7.6``."""
    if not 0.2 < ratio < 5:
        return factor(ratio)
    percentage = round(100 * (ratio - 1), 1)
    return f"{percentage:+.1f} %" if percentage else "0 %"


def changes(low: float, high: float) -> tuple[str, str]:
    """The bounds of a change, both as percentages or both as factors."""
    found = change(low), change(high)
    return found if all(each.endswith("%") for each in found) else (factor(low), factor(high))


def factor(ratio: float) -> str:
    """A ratio as a factor: ``×7.6``."""
    if not 0.001 < ratio < 1000:
        return ">×1000" if ratio > 1 else "<×0.001"
    return f"×{ratio:.3g}"


# Texts


def listed(words: Sequence[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def printable(text: str) -> str:
    """The text in one line, with control characters replaced: terminals obey them, and XML forbids them."""
    return "".join(
        character if character.isprintable() else " " if character.isspace() else "\ufffd"
        for character in text
    )


def printable_json(text: str) -> str:
    """A JSON document with the characters that can't be printed escaped (RFC 8259 section 7): terminals obey them."""
    return "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text)


# Parsing; each function raises `ValueError` with a message that says what is allowed


def duration_ns(text: str, unit: str = "") -> int:
    """``500ms``, ``2s`` or ``1.5m`` in ns; ``unit`` is the default unit (without one, the text must have a unit)."""
    found = _DURATION.fullmatch(text.strip().replace("μ", "µ"))  # Greek mu, as some keyboards type it
    if not found or not (found[2] or unit):
        raise ValueError("a duration is a number with us, ms, s, m or h, such as 500ms")
    nanoseconds = float(found[1]) * UNITS_NS[found[2] or unit]
    if nanoseconds >= 1 << 63:
        raise ValueError("a duration is at most 292 years")
    return round(nanoseconds)


def byte_count(text: str) -> int:
    """``64KiB``, ``1MiB`` or plain bytes."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError("a size is a number with B, KiB, MiB or GiB, such as 1MiB")
    return int(found[1]) * _BYTES[found[2]]


def share(text: str) -> float:
    """``3%`` as 0.03."""
    found = _SHARE.fullmatch(text.strip())
    if not found:
        raise ValueError("a share is a number with %, such as 3%")
    return float(found[1]) / 100
