"""Counts that one process writes and another reads at any time, in shared memory.

So the echo server counts the messages of every client, whichever library the client uses.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Final

MESSAGES: Final = 0
"""Messages echoed."""
OPENED: Final = 1
"""Connections opened."""
OPEN: Final = 2
"""Connections open now."""
_WORDS: Final = 8


class Tally:
    """``counts`` holds unsigned 64-bit numbers at the places above; one process writes them."""

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(_WORDS * 8)
            self._memory = mmap.mmap(file.fileno(), _WORDS * 8)
        self.counts = memoryview(self._memory).cast("Q")

    def close(self) -> None:
        self.counts.release()
        self._memory.close()
