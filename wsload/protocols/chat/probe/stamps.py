"""The Linux kernel's timestamps of a TCP socket's bytes (Documentation/networking/timestamping.rst).

Both are software timestamps of CLOCK_REALTIME: when a segment was passed to the network device, and when one
came from there. They may be subtracted from each other, but not from times of another clock. The constants are those
of ``asm-generic/socket.h``, ``linux/net_tstamp.h`` and ``linux/errqueue.h``, which Python's ``socket`` module lacks.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Final

ANCILLARY_BYTES: Final = 512
"""Room for the control messages of one ``recvmsg``."""

_SO_TIMESTAMPING: Final = 37
_TX_SOFTWARE: Final = 1 << 1
_RX_SOFTWARE: Final = 1 << 3
_SOFTWARE: Final = 1 << 4
_OPT_ID: Final = 1 << 7
_OPT_TSONLY: Final = 1 << 11
_FLAGS: Final = _TX_SOFTWARE | _RX_SOFTWARE | _SOFTWARE | _OPT_ID | _OPT_TSONLY

_IP_RECVERR: Final = (socket.IPPROTO_IP, 11)
_IPV6_RECVERR: Final = (socket.IPPROTO_IPV6, 25)
_STAMPS: Final = struct.Struct("@6l")
"""Three ``timespec``: software, unused, hardware."""
_ERROR: Final = struct.Struct("@IBBBBII")
"""``sock_extended_err``: errno, origin, type, code, padding, info, data."""
_ORIGIN_TIMESTAMPING: Final = 4
_SENT: Final = 0
"""``SCM_TSTAMP_SND``: the data was passed to the network device."""

Ancillary = list[tuple[int, int, bytes]]
"""As ``socket.recvmsg`` gives it: (level, type, data)."""


def enable(sock: socket.socket) -> bool:
    """Enables timestamps on a connected TCP socket that has sent nothing yet; returns whether that is supported.

    Sent bytes are numbered from 0; a timestamp has the number of the last byte of a ``send``.
    """
    if sys.platform != "linux":
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _FLAGS)
    except OSError:
        return False
    return True


def received_ns(ancillary: Ancillary) -> int | None:
    """When the last segment of the data arrived, in ns of CLOCK_REALTIME; None without a timestamp."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPING) and len(data) >= _STAMPS.size:
            seconds, nanoseconds, *_ = _STAMPS.unpack_from(data)
            return int(seconds * 1_000_000_000 + nanoseconds) or None
    return None


def sent_ns(ancillary: Ancillary) -> tuple[int, int] | None:
    """From the error queue: the number of a sent byte, modulo 2**32, and its time; None for other entries."""
    at_ns = received_ns(ancillary)
    if at_ns is None:
        return None
    for level, kind, data in ancillary:
        if (level, kind) in (_IP_RECVERR, _IPV6_RECVERR) and len(data) >= _ERROR.size:
            _, origin, _, _, _, info, number = _ERROR.unpack_from(data)
            if origin == _ORIGIN_TIMESTAMPING and info == _SENT:
                return number, at_ns
    return None
