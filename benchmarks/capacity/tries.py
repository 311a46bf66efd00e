"""``wsload capacity`` against servers of known capacity.

    python -m benchmarks.capacity.tries KIND RATE TRIES [RATE_OF_B] [-t STEP]

KIND is ``bucket`` or ``queue`` (`benchmarks.capacity.server`), or ``chat``, the embedded server with ``--fault
capacity``. Each try is a line of JSON on standard output; two minutes each, or more where steps are longer than the
usual 3 s. What holds is told by a token bucket's median, which a busy machine hardly moves, and by the p99 of an M/M/1
queue: response times are exponential there, with the rate μ - λ (Kleinrock 1975, 3.2), so that p99 < b holds up to
λ = μ - ln 100 / b.

A queue takes 1 / (√μ - √λ)² to forget how it began (Odoni and Roth 1983). In steps of a few of these p99 is lower than
in the long run, and a higher rate seems to hold; in steps of fifty it still varies, the more so the further below μ the
capacity lies. Long enough were 60 s at 200/s, 10 s at 1,000/s and 6 s at 5,000/s.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
MIN_S: Final = 0.018
"""The p99 of a queue at its capacity is no less: the server's timers are exact to 1 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A server and the load for it."""

    command: str
    """``{rate}`` is how many messages it serves a second."""
    load: Path
    users: int
    queues: bool = False
    """Whether messages come at random and are served in random times."""

    def serve(self, capacity: float) -> str:
        """The command of a server that has this capacity under the check."""
        served = capacity + (_to_spare(capacity) if self.queues else 0)
        return f"{sys.executable} {self.command.format(port='{port}', rate=f'{served:g}')}"

    def check(self, capacity: float) -> str:
        """What must hold."""
        if not self.queues:
            return "message.p50 < 50ms"
        return f"message.p99 < {1e6 * math.log(100) / _to_spare(capacity):.0f}us"


def _to_spare(capacity: float) -> float:
    """How much more than its capacity a queue serves a second: a quarter, or less, so that p99 is `MIN_S` there."""
    return min(capacity / 4, math.log(100) / MIN_S)


KINDS: Final = {
    "bucket": Kind(
        command="-m benchmarks.capacity.server {port} bucket {rate}", load=HERE / "load.py", users=20
    ),
    "queue": Kind(
        command="-m benchmarks.capacity.server {port} queue {rate}",
        load=HERE / "load.py",
        users=20,
        queues=True,
    ),
    "chat": Kind(
        command="-m wsload serve --port {port} --quiet-roster --fault capacity={rate}/s",
        load=HERE.parents[1] / "locustfiles" / "chat.py",
        users=5,
    ),
}


def attempt(name: str, capacity: float, other: float | None, more: list[str]) -> dict[str, Any]:
    """One search, or one comparison of two."""
    kind = KINDS[name]
    with tempfile.TemporaryDirectory(prefix="wsload-tries-") as place:
        sides = (
            ["--serve", kind.serve(capacity)]
            if other is None
            else ["--a", kind.serve(capacity), "--b", kind.serve(other)]
        )
        words = [
            *(sys.executable, "-m", "wsload", "capacity", "-f", str(kind.load), *sides, "--results", place),
            *("--check", kind.check(capacity), "--check", "lost < 1", "--format", "json"),
            *(
                "--rate",
                f"{capacity / 8:g}..{capacity * 8:g}",
                "-u",
                f"{kind.users}",
                "-t",
                "3s",
                "--warm-up",
                "1s",
            ),
            *(["--poisson"] if kind.queues else []),
            *more,
        ]
        began = time.monotonic()
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        took_s = round(time.monotonic() - began)
    if not done.stdout:
        return {"kind": name, "capacity": capacity, "failed": done.stderr[-400:]}
    found = json.loads(done.stdout)
    first = found["sides"][0]
    said = {
        "kind": name,
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
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("capacity", type=float)
    parser.add_argument("tries", type=int)
    parser.add_argument("other", type=float, nargs="?")
    arguments, more = parser.parse_known_args()
    for _ in range(arguments.tries):
        print(json.dumps(attempt(arguments.kind, arguments.capacity, arguments.other, more)), flush=True)


if __name__ == "__main__":
    main()
