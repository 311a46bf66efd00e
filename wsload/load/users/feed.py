"""Data for users: a file's or a list's rows, shared out over all users of a run, in whichever process they are."""

from __future__ import annotations

import csv
import enum
import itertools
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Generic, Self, TypeVar, overload

from wsload.errors import UsageError
from wsload.words import counted

T = TypeVar("T")
_numbers = itertools.count(1)


class Order(enum.StrEnum):
    """In which order users are given rows."""

    ONCE = "once"
    """Each row to one user; a user beyond them has none, and ends."""
    CIRCULAR = "circular"
    """One after the other, from the first again after the last."""
    RANDOM = "random"
    """Any of them, each time."""


class Feed(Generic[T]):
    """Rows of which each user has one, as the attribute that the feed is in its class."""

    def __init__(self, rows: Sequence[T], source: str, order: Order) -> None:
        self.rows: Final = rows
        self.source: Final = source
        self.order: Final = order
        self.id: Final = f"{next(_numbers)} {source}"
        """The same in every process, since all of them load the same locustfile."""

    @overload
    def __get__(self, user: None, user_class: type) -> Self: ...
    @overload
    def __get__(self, user: object, user_class: type) -> T: ...
    def __get__(self, user: object | None, user_class: type) -> Self | T:
        if user is None:
            return self
        # Its row takes this place when the user arrives.
        raise UsageError("a user is given its row of a feed when it arrives: it is there from on_opening on")

    def row(self, number: int) -> T:
        """The row of the user that is the ``number``-th to be given one, from 0. Raises `UsageError` for none left."""
        if self.order is Order.RANDOM:
            return random.choice(self.rows)
        if self.order is Order.CIRCULAR:
            return self.rows[number % len(self.rows)]
        if number >= len(self.rows):
            raise UsageError(
                f"{self.source} has {counted(len(self.rows), 'row')}, each for one user, and this is user "
                f"{number + 1}: give it more rows, or order='circular' to begin anew, or order='random'"
            )
        return self.rows[number]


@overload
def feed(source: str | Path, *, order: str = "once") -> Feed[Any]: ...
@overload
def feed(source: Iterable[T], *, order: str = "once") -> Feed[T]: ...
def feed(source: Any, *, order: str = "once") -> Feed[Any]:
    """Data for the users of a class: ``account = feed("accounts.csv")``, and each has its own ``self.account``.

    ``source`` is a file (``.csv`` with a line of names, each row a dict; ``.json`` with a list; ``.jsonl``), or any
    rows. A user keeps its row for its whole life. Rows are shared out over all users of a run, whatever process they
    are in: ``order="once"`` gives each row to one user at most, and a user for whom none is left ends, which is
    counted; ``"circular"`` begins anew after the last; ``"random"`` takes any. Each run begins with the first row.

    Raises `UsageError` for what can't be read, or has no rows.
    """
    if order not in set(Order):
        raise UsageError(f"feed: order={order!r}: {', '.join(Order)} are known")
    from_file = isinstance(source, str | Path)
    name = str(source) if from_file else "the feed"
    rows = _read(Path(source)) if from_file else list(source)
    if not rows:
        raise UsageError(f"feed: {name} has no rows")
    return Feed(rows, name, Order(order))


def feeds_of(user_class: type) -> dict[str, Feed[Any]]:
    """The feeds of a user class, by attribute."""
    names = {
        name for base in user_class.__mro__ for name, value in vars(base).items() if isinstance(value, Feed)
    }
    found = ((name, getattr(user_class, name)) for name in sorted(names))
    return {name: value for name, value in found if isinstance(value, Feed)}


def _read(path: Path) -> list[Any]:
    kind = path.suffix.lower()
    try:
        text = path.read_text("utf-8-sig")
        if kind == ".csv":
            return list(_table(text, path))
        if kind == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        if kind != ".json":
            raise UsageError(f"feed: {path}: .csv, .json and .jsonl can be read")
        rows = json.loads(text)
        if not isinstance(rows, list):
            raise UsageError(f"feed: {path}: a list is wanted")
    except OSError as error:
        where = "" if path.is_absolute() else f" (in {Path.cwd()})"
        raise UsageError(f"feed: {path}{where}: {error.strerror}") from None
    except (ValueError, RecursionError, csv.Error) as error:
        raise UsageError(f"feed: {path}: {error}") from None
    return rows


def _table(text: str, path: Path) -> Iterable[dict[str, str]]:
    lines = csv.reader(text.splitlines(keepends=True), strict=True)
    names = next(lines, [])
    for row in lines:
        if not row:
            continue
        if len(row) != len(names):
            raise UsageError(
                f"feed: {path}, line {lines.line_num}: {counted(len(row), 'value')} for {counted(len(names), 'name')}"
            )
        yield dict(zip(names, row, strict=True))
