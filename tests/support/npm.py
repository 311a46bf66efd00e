"""The npm packages that servers of other makes stand on, as tests/interop/package.json locks them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MANIFESTS = Path(__file__).parents[1] / "interop"
INSTALL_TIMEOUT_S = 120
OFFLINE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")
"""How npm says that it can't reach its registry."""


def install(directory: Path) -> Path:
    """Installs them there; returns the value for NODE_PATH. Skips the test without npm or network."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(MANIFESTS / name, directory)
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=INSTALL_TIMEOUT_S,
    )
    if done.returncode and any(code in done.stderr for code in OFFLINE):
        pytest.skip(f"npm can't reach its registry: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    return directory / "node_modules"
