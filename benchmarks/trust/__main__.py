"""Is what wsload trusts true? Compares load generators that are held up with the server's records.

    python -m benchmarks.trust [--runs 10] [--seconds 4] [--kinds blocked,stopped] [--at-once 1] [--keep FILE]
                               [--write PAGE]

Each run loads a chat server, which delays every answer by a random time and records when each post came and each answer
left, while the load generator is held up in one way. Every percentile that wsload trusts must be within 10 % or 1 ms of
the server's. Linux only. As root the server gets real-time priority on its own core, so that its records are accurate.
``--keep`` adds the runs to a file of earlier ones, so that they can be made in several sittings. With ``--at-once 2``
the load generators also hold each other up now and then, which they should notice like anything else.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from benchmarks.trust.run import KINDS, WORKLOADS, Result, run
from wsload.results.trust import ALL

Results = dict[tuple[str, str], list[Result]]
"""By kind and workload."""


def main() -> int:
    """Makes the runs, prints a line for each, then the table; returns 1 if something trusted was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust", description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=10, help="of each kind and workload")
    parser.add_argument("--seconds", type=int, default=4, help="of each run")
    parser.add_argument("--kinds", default=",".join(KINDS), help="comma-separated (default: all)")
    parser.add_argument("--at-once", type=int, default=1, help="how many runs to make at a time")
    parser.add_argument("--keep", type=Path, help="add the runs to this file, and tabulate all runs in it")
    parser.add_argument("--write", type=Path, help="put the table into this page")
    options = parser.parse_args()
    results: Results = {}
    for line in options.keep.read_bytes().splitlines() if options.keep and options.keep.exists() else ():
        key, found = json.loads(line)
        results.setdefault(tuple(key), []).append(Result(**found | {"wrong": tuple(found["wrong"])}))

    def make(number: int, name: str, workload: str) -> tuple[int, str, str, Result]:
        return number, name, workload, run(KINDS[name], workload, seconds=options.seconds)

    plan = itertools.product(range(options.runs), options.kinds.split(","), WORKLOADS)
    with ThreadPoolExecutor(options.at_once) as pool:
        for made in as_completed([pool.submit(make, *planned) for planned in plan]):
            number, name, workload, result = made.result()
            results.setdefault((name, workload), []).append(result)
            print(f"{number + 1}/{options.runs} {name}, {workload}: {result.verdict}", *result.wrong,
                  sep="\n    WRONG ", flush=True)  # fmt: skip
            if options.keep is not None:
                with options.keep.open("a") as kept:
                    kept.write(json.dumps([[name, workload], asdict(result)]) + "\n")
    text = table(results)
    print(text)
    if options.write is not None:
        _put(options.write, text)
    return int(any(result.wrong for found in results.values() for result in found))


def table(results: Results) -> str:
    """The table, as Markdown."""
    lines = [
        "| held up by | workload | runs | `message` trusted up to: median (least to most) | percentiles trusted | "
        "of these wrong | wrong, and not trusted |",
        "|---|---|---:|---|---:|---:|---:|",
    ]
    for name, workload in itertools.product(KINDS, WORKLOADS):
        found = results.get((name, workload), [])
        if not found:
            continue
        levels = sorted(result.level for result in found)
        median = levels[(len(levels) - 1) // 2]
        cells = (
            f"{name}: {KINDS[name].about}",
            workload,
            str(len(found)),
            f"{_level(median)} ({_level(levels[0])} to {_level(levels[-1])})",
            str(sum(result.trusted for result in found)),
            str(sum(len(result.wrong) for result in found)),
            str(sum(result.hidden for result in found)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _level(rung: float) -> str:
    return "max" if rung == ALL else f"p{rung:g}" if rung else "none"


def _put(path: Path, text: str) -> None:
    """Replaces the table between the marks in the page."""
    page = path.read_text(encoding="utf-8")
    head, begin, rest = page.partition("<!-- table -->\n")
    _, end, tail = rest.partition("<!-- end -->")
    assert begin and end, f"{path} has no place for the table"
    path.write_text(f"{head}{begin}{text}\n{end}{tail}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
