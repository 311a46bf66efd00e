"""``wsload capacity`` against servers of known capacity.

    python -m benchmarks.capacity.tries KIND RATE TRIES [RATE_OF_B]

KIND is ``bucket`` or ``queue`` (`benchmarks.capacity.server`). Each try is a line of JSON on standard output; about two
minutes each. What holds is told by a token bucket's median, which a busy machine hardly moves, and by a queue's p99:
one of the service rate μ holds μ − ln 100 / bound.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

BOUND_S: Final = {"bucket": 0.05, "queue": 0.1}
PERCENTILE: Final = {"bucket": "p50", "queue": "p99"}
LOAD: Final = Path(__file__).with_name("load.py")


def service_rate(kind: str, capacity: float) -> float:
    """The rate of the server whose capacity under the check this is."""
    return capacity if kind == "bucket" else capacity + math.log(100) / BOUND_S[kind]


def server(kind: str, capacity: float) -> str:
    """The command that starts it."""
    return f"{sys.executable} -m benchmarks.capacity.server {{port}} {kind} {service_rate(kind, capacity):g}"


def attempt(kind: str, capacity: float, other: float | None, more: list[str]) -> dict[str, Any]:
    """One search, or one comparison of two."""
    with tempfile.TemporaryDirectory(prefix="wsload-tries-") as place:
        sides = (
            ["--serve", server(kind, capacity)]
            if other is None
            else ["--a", server(kind, capacity), "--b", server(kind, other)]
        )
        words = [
            *(sys.executable, "-m", "wsload", "capacity", "-f", str(LOAD), *sides, "--results", place),
            *(
                "--check",
                f"message.{PERCENTILE[kind]} < {1000 * BOUND_S[kind]:g}ms",
                "--check",
                "lost < 1",
                "--format",
                "json",
            ),
            *("--rate", f"{capacity / 8:g}..{capacity * 8:g}", "-u", "20", "-t", "3s", "--warm-up", "1s"),
            *(["--poisson"] if kind == "queue" else []),
            *more,
        ]
        began = time.monotonic()
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        took_s = round(time.monotonic() - began)
    if not done.stdout:
        return {"kind": kind, "capacity": capacity, "failed": done.stderr[-400:]}
    found = json.loads(done.stdout)
    first = found["sides"][0]
    said = {
        "kind": kind,
        "capacity": capacity,
        "code": done.returncode,
        "took_s": took_s,
        "state": first["state"],
    }
    said |= {name: round(first[name], 1) for name in ("estimate", "low", "high")}
    said["off"] = round(first["estimate"] / capacity - 1, 4)
    said["steps"] = [len(side["steps"]) for side in found["sides"]]
    said["untrusted"] = sum(
        step["outcome"] == "not trusted" for side in found["sides"] for step in side["steps"]
    )
    return said | {"other": other, "contrast": found["contrast"], "headline": found["headline"]}


def main() -> None:
    """Makes the tries."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(BOUND_S))
    parser.add_argument("capacity", type=float)
    parser.add_argument("tries", type=int)
    parser.add_argument("other", type=float, nargs="?")
    arguments, more = parser.parse_known_args()
    for _ in range(arguments.tries):
        print(json.dumps(attempt(arguments.kind, arguments.capacity, arguments.other, more)), flush=True)


if __name__ == "__main__":
    main()
