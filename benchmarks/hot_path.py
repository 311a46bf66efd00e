"""``python -m benchmarks.hot_path``: the number of instructions per message, a figure without noise.

Runs `benchmarks.in_process` under ``valgrind --tool=callgrind`` and counts the instructions between marks: two runs
differ by less than 1 %, even on a busy machine. ``--check`` compares with hot_path.json and fails above +5 %;
``--update`` stores the counts.

Interpreters need different numbers of instructions per byte code. Each figure is therefore stored with that of a
yardstick, a loop of plain Python, and the limit scales with the yardstick.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from wsload.exit_codes import ExitCode

STORED: Final = Path(__file__).with_suffix(".json")
TOLERANCE: Final = 0.05
WARM_UP: Final = 500
MESSAGES: Final = 2_000
OPENINGS: Final = 100
TIMEOUT_S: Final = 600
YARDSTICK: Final = "yardstick"
SECTIONS: Final = (YARDSTICK, "round_trip", "matched", "post", "delivery", "opening")
"""In the order in which they run; each is a number of instructions per message (or turn of the loop)."""

Counts = Mapping[str, float]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hot_path", description=__doc__.split("\n")[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="compare with hot_path.json, exit 1 above +5 %%")
    what.add_argument("--update", action="store_true", help="store the counts in hot_path.json")
    what.add_argument("--counted", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.counted:
        run_sections(mark=os.getppid)  # the C function at which callgrind dumps
        return ExitCode.OK
    if shutil.which("valgrind") is None or shutil.which("callgrind_control") is None:
        print("hot path: skipped, valgrind is not installed")
        return ExitCode.OK
    counts = count()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    stored = load_stored()
    print(report(counts, stored.get(python)))
    if arguments.update:
        STORED.write_text(json.dumps({**stored, python: counts}, indent=2, sort_keys=True) + "\n")
    if not arguments.check:
        return ExitCode.OK
    if python not in stored:
        print(f"hot path: skipped, nothing is stored for Python {python}: --update stores it")
        return ExitCode.OK
    slower = excesses(counts, stored[python])
    for line in slower:
        print(f"hot path: {line}", file=sys.stderr)
    return ExitCode.FAILED if slower else ExitCode.OK


def load_stored() -> dict[str, dict[str, float]]:
    """The stored counts by Python's version, such as ``3.11``."""
    stored: dict[str, dict[str, float]] = json.loads(STORED.read_text())
    return stored


def count() -> dict[str, float]:
    """Instructions per message by section, counted by callgrind in a separate process."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "out")
        subprocess.run(
            [
                *("valgrind", "--tool=callgrind", "--instr-atstart=no", "--dump-before=getppid"),
                *(f"--callgrind-out-file={out}", f"--log-file={directory}/log"),
                *(sys.executable, "-m", "benchmarks.hot_path", "--counted"),
            ],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            timeout=TIMEOUT_S,
            check=True,
        )
        # Every mark ends a part: alternately what precedes a section, and the section.
        parts = [instructions(Path(f"{out}.{2 * place + 2}").read_text()) for place in range(len(SECTIONS))]
    return {
        name: round(part / (OPENINGS if name == "opening" else MESSAGES), 1)
        for name, part in zip(SECTIONS, parts, strict=True)
    }


def instructions(dump: str) -> int:
    """The total of a callgrind dump. Raises `ValueError` if it has none."""
    for line in dump.splitlines():
        if line.startswith("totals:"):
            return int(line.split()[1])
    raise ValueError("a callgrind dump without totals")


def allowed(name: str, counts: Counts, stored: Counts) -> float:
    """The stored figure, in this interpreter's instructions."""
    return stored[name] * counts[YARDSTICK] / stored[YARDSTICK]


def excesses(counts: Counts, stored: Counts) -> list[str]:
    """A line for each section that takes over 5 % more instructions than stored."""
    return [
        f"{name} takes {counts[name]:,.0f} instructions, {counts[name] / expected - 1:+.1%} "
        f"compared with the stored figure; {TOLERANCE:+.0%} is allowed"
        for name in SECTIONS
        if name != YARDSTICK and counts[name] > (expected := allowed(name, counts, stored)) * (1 + TOLERANCE)
    ]


def report(counts: Counts, stored: Counts | None) -> str:
    """The counts, one per line, beside the stored ones."""
    lines = []
    for name in SECTIONS:
        line = f"{name:12} {counts[name]:10,.0f} instructions"
        if stored is not None and name in stored and name != YARDSTICK:
            line += f"  {counts[name] / allowed(name, counts, stored) - 1:+.1%}"
        lines.append(line)
    return "\n".join(lines)


def run_sections(mark: Callable[[], object]) -> None:
    """Runs every section; calls ``mark`` at each one's beginning and end."""
    import gc

    from benchmarks.in_process import InProcess, deliveries, matched_requests, openings, posts, round_trips

    gc.collect()
    gc.freeze()
    _start_counting()
    _yardstick(WARM_UP)
    mark()
    _yardstick(MESSAGES)
    mark()
    for section in (round_trips, matched_requests, posts, deliveries):
        section(InProcess(), WARM_UP, MESSAGES, mark)
    openings(InProcess(), OPENINGS // 4, OPENINGS, mark)


def _start_counting() -> None:
    # Only now, since importing Locust takes half a minute while valgrind counts. The tool talks to this process,
    # which must not sleep meanwhile: waking it would take ptrace, which containers forbid.
    tool = subprocess.Popen(
        ["callgrind_control", "--instr=on", str(os.getpid())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while tool.poll() is None:
        pass
    if tool.returncode:
        raise SystemExit("callgrind_control failed")


def _yardstick(turns: int) -> None:
    """Plain Python code like that which handles a message."""
    pending: dict[int, bytes] = {}
    for number in range(turns):
        pending[number] = b"%d" % number
        for step in range(20):
            data = pending[number] + b"." * 100
            pending[number] = data[: 10 + step]
        pending.pop(number)


if __name__ == "__main__":
    sys.exit(main())
