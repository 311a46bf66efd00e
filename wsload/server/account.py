"""What the server did, for a test to hold the client's figures against: totals, and the truth file.

The truth file is JSON lines, each with a ``kind``:

    {"kind":"start","seed":1,"faults":["delay=5ms"],"started_ns":…}
    {"kind":"stalls","origin_ns":…}                    with the first post, when stalls were ordered
    {"kind":"post","token":"~ws.…~","received_ns":…,"sent_ns":…,"wait_ns":…,"done":["echoed"]}
    {"kind":"totals","posts":…,"echoed":…,…}           last, when the server was stopped in order

Times are ``time.monotonic_ns`` of the server's host. ``received_ns`` is when the post reached the
process, ``sent_ns`` when its first reply was written to the sender (null if never), ``wait_ns`` how
long it was made to wait on purpose; ``token`` is null for a post without one. ``done`` holds one of
``echoed``, ``dropped``, ``unsent`` (its sender was gone), and besides it ``duplicated``,
``reordered`` (answered after a later post of the same connection, for whatever reason), ``garbage``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from wsload.errors import UsageError
from wsload.protocols.chat.conversation import token

FLUSH_S = 1.0
"""So often the truth file is written to."""

_AND = '","'


@dataclass(slots=True, kw_only=True)
class Account:
    """Totals since the start. ``posts`` = ``echoed`` + ``dropped`` + ``unsent``, once all is answered."""

    opens: int = 0
    """Handshakes completed."""
    refused: int = 0
    """Handshakes answered 503 by order."""
    full: int = 0
    """Handshakes answered 503 since the process may open no more files."""
    logins: int = 0
    """Names given, also to those who logged in before."""
    renamed: int = 0
    """Logins that got another name than they wanted."""
    posts: int = 0
    """Posts received and handed on, or struck by a fault."""
    echoed: int = 0
    """Posts whose sender got its own back, however often."""
    dropped: int = 0
    """Posts not answered, by order."""
    unsent: int = 0
    """Posts whose sender, or the server, was gone before the answer."""
    duplicated: int = 0
    """Posts answered twice."""
    reordered: int = 0
    """Posts answered after a later post of the same connection."""
    garbage: int = 0
    """Frames of garbage sent."""
    deliveries: int = 0
    """Posts written to others than their senders, each time."""
    ignored: int = 0
    """Messages that are none, or came out of turn."""
    overrun: int = 0
    """Clients dropped because they did not read."""

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class Truth:
    """The truth file: lines are kept in memory and written once a second off the loop's thread.

    All its methods raise `UsageError` when the file can't be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file: TextIO = path.open("w", encoding="ascii")
        except OSError as error:
            raise self._failed(error) from None
        self._lines: list[str] = []

    def note(self, kind: str, **values: object) -> None:
        """A line of another kind than a post's."""
        self._lines.append(json.dumps({"kind": kind, **values}) + "\n")

    def post(
        self, message: bytes, received_ns: int, sent_ns: int | None, wait_ns: int, done: Sequence[str]
    ) -> None:
        """The line of one post; ``message`` is its raw bytes, which hold the token."""
        # Formatted here and now (1.5 µs): a thousand lines at once would hold the loop for milliseconds.
        self._lines.append(
            f'{{"kind":"post","token":{_token(message)},"received_ns":{received_ns},'
            f'"sent_ns":{"null" if sent_ns is None else sent_ns},"wait_ns":{wait_ns},'
            f'"done":["{_AND.join(done)}"]}}\n'
        )

    async def flush_until(self, over: asyncio.Event) -> None:
        """Writes once a second, in another thread, until it is over."""
        loop = asyncio.get_running_loop()
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await over.wait()
            await loop.run_in_executor(None, self._write, self._taken())

    def close(self, account: Account) -> None:
        """Writes the rest and the totals."""
        self.note("totals", **account.as_dict())
        self._write(self._taken())
        self._file.close()

    def _taken(self) -> list[str]:
        lines, self._lines = self._lines, []
        return lines

    def _write(self, lines: list[str]) -> None:
        try:
            self._file.write("".join(lines))
            self._file.flush()
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.close()  # or the interpreter complains at its end that it can't
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> UsageError:
        return UsageError(f"--truth {str(self._path)!r}: {error.strerror}")


def _token(message: bytes) -> str:
    start = token.find(message)
    # Its characters are such that JSON needs no escapes.
    return "null" if start < 0 else f'"{message[start : start + token.LENGTH].decode()}"'
