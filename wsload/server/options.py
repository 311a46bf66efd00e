"""The options of ``wsload serve``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

READY_PREFIX: Final = "wsload serve: "
"""Begins the first line on stdout, before the URL; printed once the server listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Checked by `wsload.server.run.run`."""

    host: str = "127.0.0.1"
    """Name or address to listen on."""
    port: int = 8765
    """0 for any free port."""
    tls_cert: Path | None = None
    """PEM file with the certificate chain; makes it a ``wss://`` server."""
    tls_key: Path | None = None
    """PEM file with the key, unless it is in ``tls_cert``."""
    quiet_roster: bool = False
    """Announce a login to the newcomer only."""
    compression: bool = False
    """Accept permessage-deflate."""
    faults: tuple[str, ...] = ()
    """See `wsload.server.faults`."""
    seed: int = 1
    """For the random decisions of faults."""
    truth: Path | None = None
    """Where to write the truth file, see `wsload.server.account`."""
