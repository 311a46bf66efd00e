"""Names that user classes give, as they are stored, and which of them are refused."""

from __future__ import annotations

import zlib
from typing import Final

from wsload.measure.names import (
    COUNTED,
    FAILURES,
    FREE,
    GAUGES,
    LATE_IN,
    LATENESS,
    LONGEST_NAME,
    OWN,
    SUFFIXES,
    counters,
    split,
)

_END: Final = 45
"""How many characters of a longer name's end are kept: there the names of similar requests differ most."""


def one_line(name: str) -> str:
    """A name as one line of printable text with single spaces, of at most `LONGEST_NAME` characters.

    A longer one has a checksum instead of its middle, so that it differs from others and is the same in all processes.
    Raises `ValueError` if nothing is left.
    """
    text = "".join(character if character.isprintable() else " " for character in str(name))
    text = " ".join(text.split())
    if not text:
        raise ValueError("a name needs at least one printable character")
    if len(text) > LONGEST_NAME:
        middle = f"…{zlib.crc32(text.encode()):08x}…"
        text = text[: LONGEST_NAME - len(middle) - _END] + middle + text[-_END:]
    return text


def is_total(name: str) -> bool:
    """Whether a check takes the name for a total of wsload's own: ``late``, ``failures``."""
    return name == FAILURES or name in counters()


def clean_counter(name: str) -> str:
    """The name of a user class's own counter as it is stored: see `one_line`.

    Raises `ValueError` for a reserved name.
    """
    text = one_line(name)
    if is_total(text) or text in GAUGES or text.endswith(COUNTED) or text.startswith(LATE_IN):
        raise ValueError(
            f"the counter name {text!r} is reserved by wsload, as are names that begin with '{LATE_IN}' "
            f"or end with {', '.join(COUNTED)}: choose another"
        )
    return text


def clean(name: str) -> str:
    """The name of a request, step or value as it is stored: see `one_line`.

    Raises `ValueError` for a reserved name.
    """
    text = one_line(name)
    if (text in OWN and text not in FREE) or split(text)[1]:
        raise ValueError(
            f"the name {text!r} is reserved by wsload, as are names that end with {', '.join(SUFFIXES + LATENESS)}: "
            "choose another"
        )
    if is_total(text):
        raise ValueError(
            f"the name {text!r} is that of a total of wsload's own, for which checks would take it: choose another"
        )
    return text
