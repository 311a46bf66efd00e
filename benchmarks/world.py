"""What the cases share: servers, a directory, and which tools this machine lacks."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.processes import Certificate, EchoServer

HERE: Final = Path(__file__).parent
ARTILLERY: Final = "artillery@2"
ARTILLERY_TIMEOUT_S: Final = 180


@dataclass(slots=True, kw_only=True)
class World:
    """Exists as long as the command."""

    directory: Path
    """For all files."""
    echo: EchoServer
    echo_tls: EchoServer | None = None
    """None if no certificate could be made."""
    certificate: Certificate | None = None
    artillery: Path | None = None
    """Its executable; None if it is not installed."""
    skipped: dict[str, str] = field(default_factory=dict)
    """What was not measured, and why."""


@contextlib.contextmanager
def world(directory: Path, *, tls: bool, artillery: bool) -> Iterator[World]:
    """Starts the servers and prepares what the cases need."""
    with contextlib.ExitStack() as stack:
        found = World(directory=directory, echo=stack.enter_context(EchoServer(directory)))
        if tls:
            found.certificate = _make_certificate(directory, found.skipped)
        if found.certificate is not None:
            found.echo_tls = stack.enter_context(EchoServer(directory, certificate=found.certificate))
        if artillery:
            found.artillery = _find_artillery(found.skipped)
        yield found


def _make_certificate(directory: Path, skipped: dict[str, str]) -> Certificate | None:
    made = Certificate(certificate=directory / "server.pem", key=directory / "server.key")
    command = (
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-keyout", str(made.key), "-out", str(made.certificate)),
    )
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        skipped["wss"] = f"openssl could not make a certificate ({error})"
        return None
    return made


def _find_artillery(skipped: dict[str, str]) -> Path | None:
    program = shutil.which("artillery")
    if program is not None:
        return Path(program)
    own = HERE / "node_modules/.bin/artillery"
    if own.exists():
        return own
    npm = shutil.which("npm")
    if npm is None:
        skipped["Artillery"] = "npm is not installed"
        return None
    # Without install scripts: what they would fetch is not needed here.
    command = (npm, "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", ARTILLERY)
    try:
        subprocess.run(
            [*command, "--prefix", str(HERE)], check=True, capture_output=True, timeout=ARTILLERY_TIMEOUT_S
        )
    except subprocess.SubprocessError as error:
        skipped["Artillery"] = f"npm could not install it ({type(error).__name__})"
        shutil.rmtree(HERE / "node_modules", ignore_errors=True)
        return None
    return own
