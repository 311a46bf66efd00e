"""Names that user classes give, as they are stored, and which of them are refused."""

from __future__ import annotations

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


def one_line(name: str) -> str:
    """A name as one line of printable text with single spaces, cut to `LONGEST_NAME`.

    Raises `ValueError` if nothing is left.
    """
    text = "".join(character if character.isprintable() else " " for character in str(name))
    text = " ".join(text.split())[:LONGEST_NAME].rstrip()
    if not text:
        raise ValueError("a name needs at least one printable character")
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
