"""Each fuzzing target, for a second or so, and what it once stumbled over."""

from __future__ import annotations

import os

import pytest
from fuzz.__main__ import CORPUS, fuzz
from fuzz.targets import TARGETS

SECONDS = float(os.environ.get("WSLOAD_FUZZ_SECONDS", "1"))
FOUND = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_raises_what_it_does_not_document(name: str) -> None:
    done, broken = fuzz(name, seconds=SECONDS, inputs=1 << 60, seed=20260101)
    assert broken is None, broken
    assert done > 100


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_once_is_mended(path: os.PathLike[str]) -> None:
    from pathlib import Path

    TARGETS[Path(path).parent.name].run(Path(path).read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_themselves_are_read(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].run(seed)
