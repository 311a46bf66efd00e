"""HTTP answers of bounded size. Imported only where HTTP is used, since httpx2 is optional and slow to import."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

import httpx2

MAX_BYTES: Final = 64 << 20
"""An answer, or a redirect's body, may have at most this many bytes, once decompressed."""
_OF_THE_WIRE: Final = (b"content-encoding", b"transfer-encoding", b"content-length")


class TooLarge(Exception):
    """An answer has more than `MAX_BYTES`."""


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Reads each answer whole, decompressed, up to `MAX_BYTES`; raises `TooLarge` beyond."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer, without the headers that describe how its body came."""
        began_ns = time.monotonic_ns()
        response = await self._inner.handle_async_request(request)
        response.request = request
        body = bytearray()
        try:
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_BYTES:
                    raise TooLarge
        finally:
            await response.aclose()
        bodiless = request.method == "HEAD"
        headers = [(k, v) for k, v in response.headers.raw if bodiless or k.lower() not in _OF_THE_WIRE]
        whole = httpx2.Response(
            response.status_code,
            headers=headers,
            content=None if bodiless else bytes(body),
            extensions=response.extensions,
        )
        whole.elapsed = timedelta(microseconds=(time.monotonic_ns() - began_ns) / 1000)
        return whole

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._inner.aclose()
