"""HTTP calls of a user, such as a login before the opening: named, measured and counted like its requests."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from wsload.echoes import secrets_of_body, secrets_of_headers, secrets_of_url, without_secrets
from wsload.errors import HttpError, UsageError
from wsload.load.users.compat import http_library
from wsload.load.users.context.here import current_due, left_out
from wsload.load.users.sockets.tally import Tally, cut
from wsload.load.ws.failures import failure_kind
from wsload.load.ws.url import split, unix_target
from wsload.measure.names import CANCELLED, TIMEOUT, UNANSWERED, Figures, Kind, OwnWait
from wsload.redact import redact_url

if TYPE_CHECKING:
    import httpx2

Check = Callable[["httpx2.Response"], str | None]

GOODBYE_S: Final = 1.0
"""How long the end of a user waits for its HTTP connections to close."""
_now_ns = time.monotonic_ns


class Http(Tally):
    """A user's HTTP client. Cookies are kept as long as the user lives; connections are kept alive between calls,
    but closed after `on_opening`.

    Paths are relative to the host of the WebSocket. The run's options for TLS, proxy and source address apply
    (``--ws-ca-file``, ``--ws-proxy`` …), but not those for headers and cookies, nor ``--ws-connect-to``. Redirects are
    followed.
    """

    __slots__ = ("_calls", "_client", "_cookies", "_user")

    def __init__(self, user: Any) -> None:
        super().__init__(user, user._context)
        self._user = user
        self._client: httpx2.AsyncClient | None = None
        self._cookies: Any = None
        """Those of the previous client."""
        self._calls = 0
        """Calls in progress."""

    async def get(self, url: str, **what: Any) -> httpx2.Response:
        """See `request`."""
        return await self.request("GET", url, **what)

    async def post(self, url: str, **what: Any) -> httpx2.Response:
        """See `request`."""
        return await self.request("POST", url, **what)

    async def put(self, url: str, **what: Any) -> httpx2.Response:
        """See `request`."""
        return await self.request("PUT", url, **what)

    async def patch(self, url: str, **what: Any) -> httpx2.Response:
        """See `request`."""
        return await self.request("PATCH", url, **what)

    async def delete(self, url: str, **what: Any) -> httpx2.Response:
        """See `request`."""
        return await self.request("DELETE", url, **what)

    async def request(
        self,
        method: str,
        url: str,
        *,
        name: str | None = None,
        check: Check | None = None,
        timeout: float | None = None,
        **what: Any,
    ) -> httpx2.Response:
        """Makes a call and reads the whole answer; ``what`` are httpx2's arguments: ``json``, ``data``, ``headers`` …

        Recorded under ``name`` (by default the method and path) like a request: the response time counts from when
        the task was due or from the call, the service time from the call, both to the last byte of the answer.
        ``check`` is called with the answer and returns None, or the kind of failure; by default a status from 400 on
        is a failure. ``timeout`` is in seconds for the whole call (default ``--ws-message-timeout``).

        Raises `HttpError`, which was counted, if there was no answer in time, or the answer (its ``response``) is a
        failure.
        """
        try:
            path = _path_of(url)
            figures = self.declare(name or f"{method} {path}", Kind.REQUEST)
        except Exception:
            await self.pause()
            raise
        allowed_s = await self.limit_ns(timeout) / 1e9
        sent_ns = _now_ns()
        due_ns, lag_ns = current_due.get().take(sent_ns)
        client = self._client
        if client is None:
            lag_ns += self.recorder.lateness.within(due_ns + lag_ns, sent_ns)
            with left_out(OwnWait.HTTP):
                client = await self._made()
            began_ns, sent_ns = sent_ns, _now_ns()
            due_ns += sent_ns - began_ns  # making the client is no part of the call
        self.recorder.count.requests += 1
        self._calls += 1
        try:
            async with self.engine.timers.limit(allowed_s):
                response = await client.request(method, url, **what)
        except asyncio.CancelledError:
            self.lost(figures, due_ns, UNANSWERED if self._user._life.cut_short else CANCELLED)
            raise
        except Exception as error:
            try:
                kind, detail = _kind_of(error)
            except UsageError:
                await self.pause()
                raise
            detail = without_secrets(detail, self._secrets(url, what))
            self.lost(figures, due_ns, kind, detail)
            self.progress.turned = True
            raise HttpError(kind, detail) from None
        finally:
            self._calls -= 1
        self.progress.turned = True
        now_ns = _now_ns()
        try:
            refused = (check or _status)(response)
        except Exception as error:
            self._refused(figures, type(error).__name__, due_ns, lag_ns, now_ns, response)
            raise
        if refused is not None:
            detail = without_secrets(_first_line(response), self._secrets(url, what))
            kind = self._refused(figures, refused, due_ns, lag_ns, now_ns, response, detail)
            raise HttpError(kind, detail, response=response)
        self.recorder.timed(figures.name, due_ns, now_ns, lag_ns)
        if self.recorder.detailed:
            self.add_answer(figures, response)
        self.recorder.timed(figures.service, sent_ns, now_ns)
        self.recorder.sizes[figures.name].append(len(response.content))
        return response

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies set by answers, for use in an `Opening`."""
        cookies = self._cookies if self._client is None else self._client.cookies
        return {} if cookies is None else {each.name: each.value or "" for each in cookies.jar}

    async def close(self) -> None:
        """Closes the kept-alive connections, unless they are in use; the next call opens new ones."""
        if self._client is not None and not self._calls:
            client, self._client = self._client, None
            self._cookies = client.cookies
            with contextlib.suppress(Exception), left_out(OwnWait.HTTP):
                async with asyncio.timeout(GOODBYE_S):
                    await client.aclose()

    def _secrets(self, url: str, what: Mapping[str, Any]) -> Iterator[str]:
        """All that a call holds and that a server may quote."""
        yield from secrets_of_url(url)
        for each in ("json", "data", "params"):
            yield from secrets_of_body(what.get(each))
        headers = what.get("headers") or ()
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        yield from secrets_of_headers((_text(name), _text(value)) for name, value in pairs)
        yield from self.cookies.values()
        if isinstance(cookies := what.get("cookies"), Mapping):
            yield from cookies.values()
        yield from secrets_of_body(what.get("auth"), "auth")

    def _refused(
        self,
        figures: Figures,
        kind: str,
        due_ns: int,
        lag_ns: int,
        now_ns: int,
        response: httpx2.Response,
        detail: str = "",
    ) -> str:
        kind = cut(kind)
        self.recorder.count.refused += 1
        self.recorder.timed(figures.failed, due_ns, now_ns, lag_ns)
        self.recorder.failed(figures.name, kind, self.with_details(now_ns - due_ns, response), detail=detail)
        return kind

    async def _made(self) -> httpx2.AsyncClient:
        try:
            # In a thread, because the first import takes too long for the users' loop.
            library: Any = await asyncio.to_thread(http_library)
        except ImportError:
            await self.pause()
            raise UsageError("self.http needs the package httpx2: pip install 'wsload[http]'") from None
        if self._client is None:  # else another call has made it meanwhile
            self._client = self._new(library)
        return self._client

    def _new(self, library: Any) -> httpx2.AsyncClient:
        from wsload.load.users.http_bounds import BoundedTransport

        options = self.context.settings.opening
        url = self.owner._resolve(None)
        unix = unix_target(url)
        parts = urlsplit(unix[1] if unix else url)
        try:
            transport = library.AsyncHTTPTransport(
                verify=True if options.tls is None else options.tls,
                trust_env=False,
                proxy=None if unix else options.proxy,
                local_address=options.source_ips[0] if options.source_ips else None,
                uds=unix[0] if unix else None,
            )
        except (ImportError, ValueError) as error:
            raise UsageError(f"self.http can't use --ws-proxy: {error}") from None
        client: httpx2.AsyncClient = library.AsyncClient(
            base_url=f"{parts.scheme.replace('ws', 'http', 1)}://{parts.netloc}",
            transport=BoundedTransport(transport),
            cookies=self._cookies,
            follow_redirects=True,
            timeout=None,
            trust_env=False,
        )
        return client


def _text(part: str | bytes) -> str:
    return part.decode("latin-1") if isinstance(part, bytes) else str(part)


def _path_of(url: str) -> str:
    try:
        return split(url).path or "/"
    except ValueError as error:
        raise UsageError(f"self.http: the URL {redact_url(url)!r}: {error}") from None


def _status(response: httpx2.Response) -> str | None:
    return f"status {response.status_code}" if response.status_code >= 400 else None


def _first_line(response: httpx2.Response) -> str:
    lines = response.text[:1_000].split("\n")
    return "".join(each if each.isprintable() else " " for each in lines[0]).strip()[:200]


def _kind_of(error: Exception) -> tuple[str, str]:
    """The kind of failure and its detail: those of the underlying OS or TLS error, if there is one."""
    import httpx2

    from wsload.load.users.http_bounds import MAX_BYTES, TooLarge

    if isinstance(error, TooLarge):
        return "too large", f"more than {MAX_BYTES >> 20} MiB"
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return TIMEOUT, "no answer in time"
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol | TypeError | ValueError):
        raise UsageError(f"self.http: {error}") from None
    if isinstance(error, httpx2.TooManyRedirects):
        return "redirect", str(error)
    if isinstance(error, httpx2.ProxyError):
        return "proxy", str(error)
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.errno is not None:
            return failure_kind(inner)
        inner = inner.__cause__ or inner.__context__
    if isinstance(error, httpx2.LocalProtocolError):  # it quotes a header that can't be sent
        return "invalid request", "HTTP does not allow it, for instance for a line break in a header"
    if isinstance(error, httpx2.RemoteProtocolError | httpx2.ReadError):
        return "hung up", str(error) or "the server closed the connection"
    return failure_kind(error)
