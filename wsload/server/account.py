"""The server's own records, against which a client's figures can be checked: totals, and the truth file.

The truth file is JSON lines, each with a ``kind``:

    {"kind":"start","seed":1,"faults":["delay=5ms"],"started_ns":…}
    {"kind":"stalls","origin_ns":…}                    with the first post, if there are stalls
    {"kind":"post","token":"~ws.…~","received_ns":…,"sent_ns":…,"wait_ns":…,"done":["echoed"]}
    {"kind":"totals","posts":…,"echoed":…,…}           last, if the server was stopped properly

Times are ``time.monotonic_ns`` of the server's host: ``received_ns`` is when the post reached the process, ``sent_ns``
when its first reply was written to the sender (null if never), ``wait_ns`` how long a fault delayed it. ``token`` is
null for a post without one. ``done`` holds one of ``echoed``, ``dropped`` and ``unsent`` (its sender was gone), and
possibly ``duplicated``, ``reordered`` (answered after a later post of the same connection, for whatever reason) and
``garbage``.
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
"""How often the truth file is written."""

_AND = '","'


@dataclass(slots=True, kw_only=True)
class Account:
    """Totals since the start. Once all posts are answered, ``posts`` = ``echoed`` + ``dropped`` + ``unsent``."""

    opens: int = 0
    """Handshakes completed."""
    refused: int = 0
    """Handshakes answered 503 by a fault."""
    full: int = 0
    """Handshakes answered 503 because the process may open no more files."""
    logins: int = 0
    """Names given, including new names for users already logged in."""
    renamed: int = 0
    """Logins that got a different name than they asked for."""
    posts: int = 0
    """Posts accepted, whether they were answered or hit by a fault."""
    echoed: int = 0
    """Posts echoed to their sender, once or twice."""
    dropped: int = 0
    """Posts left unanswered by a fault."""
    unsent: int = 0
    """Posts whose sender was gone, or the server stopped, before the answer."""
    duplicated: int = 0
    """Posts answered twice."""
    reordered: int = 0
    """Posts answered after a later post of the same connection."""
    garbage: int = 0
    """Garbage frames sent."""
    deliveries: int = 0
    """Posts written to users other than their sender."""
    ignored: int = 0
    """Messages that were malformed, or came out of turn."""
    overrun: int = 0
    """Clients dropped because they read too slowly."""

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class Truth:
    """The truth file; lines are buffered in memory and written once a second, outside the loop's thread.

    All methods raise `UsageError` when the file can't be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file: TextIO = path.open("w", encoding="ascii")
        except OSError as error:
            raise self._failed(error) from None
        self._lines: list[str] = []

    def note(self, kind: str, **values: object) -> None:
        """Adds a line of any kind but ``post``."""
        self._lines.append(json.dumps({"kind": kind, **values}) + "\n")

    def post(
        self, message: bytes, received_ns: int, sent_ns: int | None, wait_ns: int, done: Sequence[str]
    ) -> None:
        """Adds the line of one post; ``message`` is its raw bytes, which hold the token."""
        # Formatted right away (1.5 µs): a thousand lines at once would block the loop for milliseconds.
        self._lines.append(
            f'{{"kind":"post","token":{_token(message)},"received_ns":{received_ns},'
            f'"sent_ns":{"null" if sent_ns is None else sent_ns},"wait_ns":{wait_ns},'
            f'"done":["{_AND.join(done)}"]}}\n'
        )

    async def flush_until(self, over: asyncio.Event) -> None:
        """Writes once a second, in another thread, until the event is set."""
        loop = asyncio.get_running_loop()
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await over.wait()
            await loop.run_in_executor(None, self._write, self._taken())

    def close(self, account: Account) -> None:
        """Writes the remaining lines and the totals."""
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
                self._file.close()  # or the interpreter complains at exit
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> UsageError:
        return UsageError(f"--truth {str(self._path)!r}: {error.strerror}")


def _token(message: bytes) -> str:
    start = token.find(message)
    # A token has no characters that JSON would escape.
    return "null" if start < 0 else f'"{message[start : start + token.LENGTH].decode()}"'
