"""``python -m benchmarks.endings [TIMES [WORD]]``: repeats every ending of a distributed run.

Each test of ``tests/integration/test_distributed.py`` whose name contains WORD (default: all of them) runs TIMES times
(default: 20), five tests at a time: an ending that loses a message in one of twenty runs is broken, and a busy machine
shows it first. Prints a line for each test; takes eight minutes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from benchmarks.processes import ROOT
from wsload.exit_codes import ExitCode

TIMES: Final = 20
LANES: Final = 5
TESTS: Final = "tests/integration/test_distributed.py"
_PYTEST: Final = (sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "--import-mode=importlib")


def endings(word: str) -> list[str]:
    """The tests' pytest names."""
    listed = _pytest("--collect-only", TESTS)
    return [line for line in listed.stdout.splitlines() if line.startswith(TESTS) and word in line]


def failure(ending: str) -> str | None:
    """What went wrong in one run; None if nothing did."""
    with tempfile.TemporaryDirectory(prefix="wsload-ending-") as place:
        run = _pytest(f"--basetemp={place}/run", ending)
    if not run.returncode:
        return None
    reasons = [line for line in run.stdout.splitlines() if line.startswith("E ")]
    return reasons[0].lstrip("E ") if reasons else run.stdout.strip()[-200:]


def _pytest(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = (*_PYTEST, "-p", "no:cacheprovider", *arguments)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def main() -> int:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else TIMES
    names = endings(sys.argv[2] if len(sys.argv) > 2 else "")
    wrong = 0
    with ThreadPoolExecutor(LANES) as lanes:
        # In turn, so that different tests run at the same time.
        runs = {name: [] for name in names}
        for _ in range(times):
            for name in names:
                runs[name].append(lanes.submit(failure, name))
        for name, results in runs.items():
            found = [reason for result in results if (reason := result.result()) is not None]
            wrong += len(found)
            verdict = f"{times - len(found)} of {times} right" + (f": {found[0]}" if found else "")
            print(f"{name.partition('::')[2]:80} {verdict}", flush=True)
    return ExitCode.FAILED if wrong else ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
