"""What the cases share: servers, a directory, and which tools this machine lacks."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers import find_artillery, find_k6, find_tsung
from benchmarks.processes import Certificate, EchoServer


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
    k6: Path | None = None
    """Likewise."""
    tsung: Path | None = None
    """Likewise."""
    skipped: dict[str, str] = field(default_factory=dict)
    """What was not measured, and why."""


@contextlib.contextmanager
def world(directory: Path, *, tls: bool, peers: bool) -> Iterator[World]:
    """Starts the servers and prepares what the cases need."""
    with contextlib.ExitStack() as stack:
        found = World(directory=directory, echo=stack.enter_context(EchoServer(directory)))
        if tls:
            found.certificate = _make_certificate(directory, found.skipped)
        if found.certificate is not None:
            found.echo_tls = stack.enter_context(EchoServer(directory, certificate=found.certificate))
        if peers:
            found.artillery, found.k6 = find_artillery(found.skipped), find_k6(found.skipped)
            found.tsung = find_tsung(found.skipped)
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
