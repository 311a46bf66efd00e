"""The limit on open files; every connection is one, at either end."""

from __future__ import annotations

import contextlib
import resource
from typing import Final

ENOUGH: Final = 1 << 20
"""What a privileged process asks for: the kernel's default maximum (``fs.nr_open``)."""


def raise_file_limit() -> int:
    """Raises this process's limit to the hard limit, or beyond if it is privileged; returns the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (ENOUGH, hard):
        if wanted > soft:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
                break
    return file_limit()


def file_limit() -> int:
    """How many files this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
