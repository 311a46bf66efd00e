"""Options that belong to a host: a worker keeps those of its own command line, whatever its master has."""

from __future__ import annotations

from typing import Any, Final

HOST_BOUND: Final = ("ws_source_ip", "ws_ca_file", "ws_client_cert")
"""Addresses and files; a master sends its workers all options of wsload, those that it doesn't have as well."""


class OwnOptions:
    """Those that a process was given itself."""

    def __init__(self) -> None:
        self._own: dict[str, Any] = {}

    def remember(self, options: Any) -> None:
        """Call it before the master has sent its own."""
        given = vars(options) if options is not None else {}
        self._own = {name: given[name] for name in HOST_BOUND if given.get(name)}

    def restore(self, options: Any) -> None:
        """Call it at the start of each run, after the master has sent its own."""
        if options is not None:
            vars(options).update(self._own)
