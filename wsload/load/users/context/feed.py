"""Data for users: the rows of a file or list, distributed over all users of a run in all processes."""

from __future__ import annotations

import asyncio
import csv
import enum
import itertools
import json
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Generic, Self, TypeVar, overload

from wsload.errors import UsageError
from wsload.redact import plain
from wsload.words import counted

T = TypeVar("T")
Ask = Callable[[str, int], object]
"""Asks the master for this many numbers of a feed."""
_numbers = itertools.count(1)


class Order(enum.StrEnum):
    """The order in which users get rows."""

    ONCE = "once"
    """Each row goes to one user; a user for whom none is left ends."""
    CIRCULAR = "circular"
    """One after the other, starting over after the last."""
    RANDOM = "random"
    """A random row each time."""


class Feed(Generic[T]):
    """A descriptor: each user gets one row as the attribute of this name."""

    def __init__(self, rows: Sequence[T], source: str, order: Order) -> None:
        self.rows: Final = rows
        self.source: Final = source
        self.order: Final = order
        self.id: Final = plain(f"{next(_numbers)} {Path(source).name}")
        """The same in every process, because all load the same locustfile, if perhaps from different directories."""

    @overload
    def __get__(self, user: None, user_class: type) -> Self: ...
    @overload
    def __get__(self, user: object, user_class: type) -> T: ...
    def __get__(self, user: object | None, user_class: type) -> Self | T:
        if user is None:
            return self
        # The row shadows this descriptor once the user has arrived.
        raise UsageError("a user gets its row of a feed when it starts: use it in on_opening or later")

    def row(self, number: int) -> T:
        """The row of the ``number``-th user, from 0. Raises `UsageError` if none is left."""
        if self.order is Order.RANDOM:
            return random.choice(self.rows)
        if self.order is Order.CIRCULAR:
            return self.rows[number % len(self.rows)]
        if number >= len(self.rows):
            raise UsageError(
                f"{self.source} has {counted(len(self.rows), 'row')}, each for one user, and this is user "
                f"{number + 1}: add rows, or use order='circular' to start over, or order='random'"
            )
        return self.rows[number]


@overload
def feed(source: str | Path, *, order: str = "once") -> Feed[Any]: ...
@overload
def feed(source: Iterable[T], *, order: str = "once") -> Feed[T]: ...
def feed(source: Any, *, order: str = "once") -> Feed[Any]:
    """Data for the users of a class: with ``account = feed("accounts.csv")`` each has its own ``self.account``.

    ``source`` is a file (``.csv`` with a header line, each row a dict; ``.json`` with a list; ``.jsonl``), or any
    iterable of rows. A user keeps its row as long as it lives. Rows are distributed over all users of a run, in all
    processes: ``order="once"`` gives each row to at most one user, and a user that gets none ends, which is counted;
    ``"circular"`` starts over after the last row; ``"random"`` picks one at random. Each run starts with the first row.

    Raises `UsageError` if the source can't be read, or has no rows.
    """
    if order not in set(Order):
        raise UsageError(f"feed: order={order!r}: must be one of {', '.join(Order)}")
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
            raise UsageError(f"feed: {path}: only .csv, .json and .jsonl files can be read")
        rows = json.loads(text)
        if not isinstance(rows, list):
            raise UsageError(f"feed: {path}: the file must contain a list")
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


class Rows:
    """Numbers the rows of feeds for the users of one process; a worker asks its master, so that no row is used twice.

    From 0 for each feed, unique in a run. Call all methods but `begin` on the loop's thread.
    """

    def __init__(self) -> None:
        self.ask: Ask | None = None
        """Set in a worker; the answer comes through `given`. Called on the loop's thread."""
        self.begin()

    def begin(self) -> None:
        """Starts a run."""
        self._next: Counter[str] = Counter()
        self._given: defaultdict[str, deque[int]] = defaultdict(deque)
        self._waiting: defaultdict[str, deque[asyncio.Future[int]]] = defaultdict(deque)
        self._asked: set[str] = set()

    async def number(self, feed: str) -> int:
        """The next number of a feed."""
        if self.ask is None:
            self._next[feed] += 1
            return self._next[feed] - 1
        if self._given[feed]:
            return self._given[feed].popleft()
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[feed].append(waiter)
        self._ask(feed)
        return await waiter

    def given(self, feed: str, first: int, count: int) -> None:
        """The master's answer: ``count`` numbers from ``first`` on."""
        self._asked.discard(feed)
        waiting = self._waiting[feed]
        for number in range(first, first + count):
            while waiting and waiting[0].done():
                waiting.popleft()  # its user was stopped
            if waiting:
                waiting.popleft().set_result(number)
            else:
                self._given[feed].append(number)
        self._ask(feed)

    def _ask(self, feed: str) -> None:
        """Sends one request to the master at a time; users that arrive meanwhile wait for the next one."""
        wanted = sum(not waiter.done() for waiter in self._waiting[feed])
        if wanted and feed not in self._asked:
            assert self.ask is not None
            self._asked.add(feed)
            self.ask(feed, wanted)
