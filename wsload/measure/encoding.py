"""The V2 encoding of histograms (zlib, in base64), as in a histogram log."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wsload.measure.compat import decode_varints, encode_varints
from wsload.measure.layout import DIGITS, HIGHEST_NS, LOWEST_NS, layout

MAX_ENCODED_BYTES: Final = 1 << 20
"""An encoded histogram longer than this is refused: a full one of this layout is under 170 kB."""
_MAX_COUNT: Final = 1 << 40

_COOKIE: Final = 0x1C849303 | 0x10
_COMPRESSED_COOKIE: Final = 0x1C849304 | 0x10
_ENVELOPE: Final = struct.Struct(">II")
"""Cookie, length of what follows."""
_HEADER: Final = struct.Struct(">IIIIQQd")
"""Cookie, length of the counts, normalizing offset, digits, lowest, highest, conversion ratio."""
_MAX_VARINT: Final = 9


def encode(counts: NDArray[np.int64]) -> bytes:
    """Encodes counts up to the last that is not 0; takes about 0.1 ms."""
    used = len(counts) - int(np.argmax(counts[::-1] > 0)) if counts.any() else 0
    buffer = np.empty(_HEADER.size + used * _MAX_VARINT, dtype=np.uint8)
    size = encode_varints(counts[:used], buffer[_HEADER.size :])
    _HEADER.pack_into(buffer.data, 0, _COOKIE, size, 0, DIGITS, LOWEST_NS, HIGHEST_NS, 1.0)
    # Level 4 takes half the time of the default for the same size.
    packed = zlib.compress(buffer[: _HEADER.size + size].data, 4)
    return base64.b64encode(_ENVELOPE.pack(_COMPRESSED_COOKIE, len(packed)) + packed)


def decode(encoded: bytes | str) -> tuple[tuple[int, int, int], NDArray[np.int64]]:
    """The layout of what was encoded (see `layout`), and its counts up to the last that is not 0.

    Raises `ValueError` for anything that is not a V2 histogram, or is unreasonably large.
    """
    if len(encoded) > MAX_ENCODED_BYTES:
        raise ValueError("too long for a histogram")
    try:
        payload = _unpacked(base64.b64decode(encoded, validate=True))
        cookie, size, offset, digits, lowest, highest, _ = _HEADER.unpack_from(payload)
    except (struct.error, zlib.error) as error:
        raise ValueError(f"not an encoded histogram ({error})") from error
    if cookie != _COOKIE or size != len(payload) - _HEADER.size or offset:
        raise ValueError("not a V2 histogram")
    shape = layout(lowest, highest, digits)
    counts: NDArray[np.int64] = np.zeros(shape[2], dtype=np.int64)
    try:
        used = decode_varints(payload, _HEADER.size, counts)
    except (IndexError, OverflowError) as error:
        raise ValueError(f"damaged counts ({error})") from error
    counts = counts[:used]
    if counts.max() > _MAX_COUNT:
        raise ValueError("unreasonable counts")
    return shape, counts


def _unpacked(data: bytes) -> bytes:
    cookie, size = _ENVELOPE.unpack_from(data)
    if cookie != _COMPRESSED_COOKIE or size != len(data) - _ENVELOPE.size:
        raise ValueError("not a compressed V2 histogram")
    decompressor = zlib.decompressobj()
    payload = decompressor.decompress(data[_ENVELOPE.size :], MAX_ENCODED_BYTES)
    if not decompressor.eof:
        raise ValueError("cut short, or too long for a histogram")
    return payload
