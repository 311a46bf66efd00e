"""Servers in processes of their own, which say on which port they listen."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

STOP_TIMEOUT_S = 10


@contextlib.contextmanager
def listening(*command: str | Path, env: Mapping[str, str] | None = None) -> Iterator[int]:
    """Runs a server that prints "listening PORT" until the end of the block; SIGTERM ends it."""
    child = subprocess.Popen(
        [str(word) for word in command], env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        said = child.stdout.readline()
        assert said.startswith("listening "), f"{command[1]} said {said!r}"
        yield int(said.split()[1])
    finally:
        child.terminate()
        try:
            child.communicate(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
