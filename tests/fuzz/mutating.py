"""Inputs for fuzzing: known ones changed at random, from a seed. A hundred thousand a second, and no shrinking."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

LONGEST: Final = 4096
"""Bytes; what is longer is cut."""
MAX_CHANGES: Final = 6
TROUBLE: Final = (
    *(text.encode("utf-8", "surrogatepass") for text in (
        "", "\0", "\n", "\r\n", " ", "\t", '"', "'", "\\", "/", "//", "://", ":", ";", ",", "#", "?", "@", "%", "%00",
        "%zz", "[", "]", "{", "}", "[[[[[[[[", "{}", "[]", "null", "true", "NaN", "Infinity", "-1", "0", "1e999",
        "1e-999", "9" * 30, "9" * 400, "0x1", "1_000", "\u0661", "\u00e9", "\u2028", "\U0001f600", "\ud800", "\u202e",
        "é", "..", "~", "*", "<script>", "=HYPERLINK(", "\x1b[31m", "\x7f", "ﬀ", "İ",
    )),
    b"\xff", b"\xc3", b"\x80", b"\xed\xa0\x80", bytes(16),
)  # fmt: skip
"""Pieces that programs stumble over."""


class Mutator:
    """Makes inputs of ``seeds`` and of the ``words`` of their grammar."""

    def __init__(self, seeds: Sequence[bytes], words: Sequence[bytes], seed: int) -> None:
        self._random = random.Random(seed)
        self._seeds = list(seeds)
        self._pieces = [*TROUBLE, *words, *words]
        self._ways: tuple[Callable[[bytearray], None], ...] = (
            self._flip, self._insert, self._insert, self._remove, self._repeat, self._replace, self._splice, self._move,
        )  # fmt: skip

    def next(self) -> bytes:
        """Another input."""
        data = bytearray(self._random.choice(self._seeds))
        for _ in range(self._random.randint(0, MAX_CHANGES)):
            self._random.choice(self._ways)(data)
        return bytes(data[:LONGEST])

    def _place(self, data: bytearray) -> int:
        return self._random.randrange(len(data) + 1)

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)

    def _insert(self, data: bytearray) -> None:
        place = self._place(data)
        data[place:place] = self._random.choice(self._pieces)

    def _remove(self, data: bytearray) -> None:
        place = self._place(data)
        del data[place : place + self._random.choice((1, 1, 2, 4, 16, 64))]

    def _repeat(self, data: bytearray) -> None:
        place = self._place(data)
        piece = data[place : place + self._random.choice((1, 2, 8, 32))]
        data[place:place] = piece * self._random.choice((1, 2, 10, 100))

    def _replace(self, data: bytearray) -> None:
        place, piece = self._place(data), self._random.choice(self._pieces)
        data[place : place + len(piece)] = piece

    def _splice(self, data: bytearray) -> None:
        other = self._random.choice(self._seeds)
        data[self._place(data) :] = other[self._random.randrange(len(other) + 1) :]

    def _move(self, data: bytearray) -> None:
        start, end, to = sorted((self._place(data), self._place(data), self._place(data)))
        data[start:to] = data[end:to] + data[start:end]
