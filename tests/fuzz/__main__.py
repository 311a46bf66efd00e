"""Fuzzing by hand: ``python -m fuzz`` in ``tests/`` (``make fuzz``), all targets or some, for a time or a number.

An input that breaks a target is written to ``tests/fuzz/corpus/TARGET/``, where a test finds it ever after.
"""

from __future__ import annotations

import argparse
import hashlib
import secrets
import sys
import time
import traceback
from pathlib import Path
from typing import Final

from fuzz.targets import TARGETS

CORPUS: Final = Path(__file__).parent / "corpus"
LOOK: Final = 256
"""Inputs between two looks at the clock."""


def fuzz(name: str, *, seconds: float, inputs: int, seed: int) -> tuple[int, bytes | None]:
    """How many inputs a target was given, and the one that broke it."""
    target = TARGETS[name]
    make, run, end, done = target.inputs(seed), target.run, time.monotonic() + seconds, 0
    while done < inputs and time.monotonic() < end:
        for _ in range(min(LOOK, inputs - done)):
            data = make()
            try:
                run(data)
            except Exception:
                traceback.print_exc()
                return done + 1, data
            done += 1
    return done, None


def keep(name: str, data: bytes) -> Path:
    """Adds an input to the corpus."""
    path = CORPUS / name / hashlib.sha256(data).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def main() -> int:
    """Fuzzes; the exit code says whether something broke."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)}; all by default")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each target (default: 10)")
    parser.add_argument("--inputs", type=int, default=sys.maxsize, help="at most so many for each target")
    parser.add_argument("--seed", type=int, default=None, help="default: another each time")
    asked = parser.parse_args()
    if unknown := [name for name in asked.targets if name not in TARGETS]:
        parser.error(f"no target {unknown[0]!r}: {', '.join(TARGETS)}")
    seed = secrets.randbits(32) if asked.seed is None else asked.seed
    print(f"seed {seed}")
    total, broken = 0, 0
    for name in asked.targets or TARGETS:
        began = time.monotonic()
        done, data = fuzz(name, seconds=asked.seconds, inputs=asked.inputs, seed=seed)
        total += done
        rate = done / (time.monotonic() - began)
        found = "" if data is None else f"  BROKEN: {keep(name, data)}"
        broken += data is not None
        print(f"{name:12}{done:>12,} inputs {rate:>10,.0f}/s{found}", flush=True)
    print(f"{total:,} inputs, {broken} targets broken")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
