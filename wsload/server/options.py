"""How to serve, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

READY_PREFIX: Final = "wsload serve: "
"""What the first line on stdout begins with, once the server listens; its URL is the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to serve; checked by `wsload.server.run.run`."""

    host: str = "127.0.0.1"
    """Name or address to listen on."""
    port: int = 8765
    """0 for a free one."""
    tls_cert: Path | None = None
    """PEM file with the certificate chain: serve ``wss://``."""
    tls_key: Path | None = None
    """PEM file with its key, unless it is in ``tls_cert``."""
    quiet_roster: bool = False
    """Tell a login to the newcomer only."""
    compression: bool = False
    """Agree to permessage-deflate."""
    faults: tuple[str, ...] = ()
    """See `wsload.server.faults`."""
    seed: int = 1
    """For everything random in the faults."""
    truth: Path | None = None
    """Where to write the truth file, see `wsload.server.account`."""
