"""The TLS of a client, for the users and for the probe alike. What can't be used raises `OSError` or `ValueError`."""

from __future__ import annotations

import ssl
from collections.abc import Sequence


def trusting(ca_file: str) -> ssl.SSLContext:
    """A context that trusts these authorities, or the system's for an empty name.

    Python verifies strictly from 3.13 on (``VERIFY_X509_STRICT``), and then refuses authorities without the
    extensions of RFC 5280, which private ones often lack. A user who names an authority has decided to trust
    it, so authorities from a file are verified as in Python before 3.13.
    """
    context = ssl.create_default_context(cafile=ca_file or None)
    if ca_file:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def present(context: ssl.SSLContext, files: Sequence[str]) -> None:
    """Shows servers this certificate, of a file with its key or of two files."""
    certificate, key = files[0], files[1] if len(files) > 1 else None
    context.load_cert_chain(certificate, key, password=_no_password)


def verify_nothing(context: ssl.SSLContext) -> None:
    """Accepts any certificate, for any name."""
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE


def _no_password() -> str:
    # Otherwise OpenSSL would ask the terminal for it, and a run without one would hang.
    raise ValueError("its key is encrypted: decrypt it first, since wsload never asks for a password")
