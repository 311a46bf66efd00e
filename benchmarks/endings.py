"""``python -m benchmarks.endings [TIMES [WORD]]``: every ending of a distributed run, again and again.

Each test of ``tests/integration/test_distributed.py`` whose name holds the word (all of them unless one
is given) runs so many times (20), one after the other. An ending that loses a message in one of twenty
runs is one that loses messages. Prints a line for each; about six seconds a run.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Final

from benchmarks.processes import ROOT

TIMES: Final = 20
TESTS: Final = "tests/integration/test_distributed.py"
_PYTEST: Final = (sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "-p", "no:cacheprovider")


def endings(word: str) -> list[str]:
    """The tests' names as pytest knows them."""
    listed = _pytest("--collect-only", TESTS)
    return [line for line in listed.stdout.splitlines() if line.startswith(TESTS) and word in line]


def failures(ending: str, times: int) -> list[str]:
    """What went wrong in so many runs, a line for each run that was not right."""
    found = []
    for _ in range(times):
        run = _pytest(ending)
        if run.returncode:
            reasons = [line for line in run.stdout.splitlines() if line.startswith("E ")]
            found.append(reasons[0].lstrip("E ") if reasons else run.stdout.strip()[-200:])
    return found


def _pytest(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*_PYTEST, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def main() -> int:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else TIMES
    wrong = 0
    for ending in endings(sys.argv[2] if len(sys.argv) > 2 else ""):
        began = time.monotonic()
        found = failures(ending, times)
        wrong += len(found)
        verdict = f"{times - len(found)} of {times} right" + (f": {found[0]}" if found else "")
        took_s = (time.monotonic() - began) / times
        print(f"{ending.partition('::')[2]:80} {took_s:5.1f} s a run, {verdict}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
