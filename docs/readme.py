"""Keeps the README's generated blocks true: ``python docs/readme.py`` renews them, ``--check`` compares.

A block stands between ``<!-- output of: COMMAND -->`` and ``<!-- end -->``; what is between is the
command's own output. Only commands whose output is the same everywhere (``--help``) are kept so;
figures are copied from real runs by hand, with the machine named beside them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(
    r"(<!-- output of: (?P<command>[^>]+) -->\n```text\n)(?P<text>.*?)(```\n<!-- end -->)", re.DOTALL
)


def output(command: str) -> str:
    """What ``wsload …`` or ``locust …`` prints on 80 columns; of locust's help only wsload's part."""
    words = shlex.split(command)
    run = subprocess.run(
        [sys.executable, "-m", *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "80", "TERMINAL_WIDTH": "80", "NO_COLOR": "1"},
        cwd=README.parent,
    )
    text = run.stdout
    if words[0] == "locust":
        start = text.index("  --ws-url")
        text = re.sub(r"   ?\[env var: [^\]]+\]", "", text[start:])
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    return "\n".join(lines) + "\n"


def renewed(text: str) -> str:
    """The README with its generated blocks made anew."""
    return BLOCK.sub(lambda found: found[1] + output(found["command"]) + found[4], text)


if __name__ == "__main__":
    old = README.read_text("utf-8")
    new = renewed(old)
    if "--check" in sys.argv:
        sys.exit("README.md is not what the commands print: run python docs/readme.py" if old != new else 0)
    README.write_text(new, "utf-8")
