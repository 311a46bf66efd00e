"""A probe's options. Its parent sends them as a line of JSON on standard input, since some are secret."""

from __future__ import annotations

import json
import ssl
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from wsload.errors import UsageError
from wsload.load.options import tls
from wsload.protocols.chat.conversation.messages import SUBPROTOCOL

RATE: Final = 20.0
MAX_RATE: Final = 1000.0
NAME: Final = "wsload-probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """How to open, and how often to post; holds secrets, so it is never stored."""

    url: str = field(repr=False)
    """What to open: absolute, ``ws://`` or ``wss://``."""
    rate: float = RATE
    """Posts a second, on an absolute schedule."""
    name: str = NAME
    """The name to log in with."""
    clock: str = "elsewher"
    """Identifies the clock of `time.monotonic_ns` in the posts' tokens, see `conversation.token`."""
    subprotocols: tuple[str, ...] = (SUBPROTOCOL,)
    """Offered in this order; if any are offered, the server must choose one."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Additional request headers, including cookies and authorization."""
    ca_file: str = ""
    """PEM file of the authorities to trust for ``wss://``; empty for the system's."""
    client_cert: tuple[str, ...] = ()
    """PEM files of the client's certificate and, unless it is in the first, its key."""
    insecure: bool = False
    """Whether certificates are not verified."""
    open_timeout_s: float = 10.0
    """For opening, and again for logging in, in seconds."""
    message_timeout_s: float = 10.0
    """A post without an echo after this time is lost."""
    drain_s: float = 2.0
    """How long to wait for outstanding echoes at the end."""

    def __post_init__(self) -> None:
        if not 0 < self.rate <= MAX_RATE:
            raise UsageError(
                f"the probe's rate {self.rate:g} must be above 0 and at most {MAX_RATE:g} a second"
            )

    def to_json(self) -> str:
        """One line, without a line break."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> ProbeOptions:
        """Reads what `to_json` wrote. Raises `UsageError` for anything else, without quoting it."""
        try:
            found: dict[str, Any] = json.loads(line)
            found["headers"] = tuple((str(name), str(value)) for name, value in found.get("headers", ()))
            for several in ("subprotocols", "client_cert"):
                if several in found:
                    found[several] = tuple(map(str, found[several]))
            return cls(**found)
        except (ValueError, TypeError, AttributeError) as error:
            raise UsageError(f"not the options of a probe ({type(error).__name__})") from None

    def tls(self) -> ssl.SSLContext:
        """The context for ``wss://``. Raises `UsageError` naming the file that can't be used."""
        named = f"{self.ca_file} {' '.join(self.client_cert)}".strip()
        try:
            context = tls.trusting(self.ca_file)
            if self.client_cert:
                tls.present(context, self.client_cert)
        except OSError as error:  # SSLError is one
            raise UsageError(f"{named}: {getattr(error, 'reason', None) or error.strerror}") from None
        if self.insecure:
            tls.verify_nothing(context)
        return context
