"""The server under test: started for one run, polled until it answers, measured, and stopped."""

from __future__ import annotations

import random
import socket
import time
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from wsload.children import Command, Guard, words_of
from wsload.commands.harness.builds import PORT, Build, HandshakeOptions
from wsload.commands.harness.handshake import NoHandshake, check_handshake, settled_s, verifying
from wsload.commands.harness.meter import Meter
from wsload.commands.harness.pinning import Cores
from wsload.errors import ServerFailed, WsloadError
from wsload.load.ws.url import resolve_url
from wsload.redact import redact_url
from wsload.results.server_figures import ServerFigures
from wsload.words import build_name, span

PORTS: Final = range(20_000, 30_000)
"""Below the range used for outgoing connections, of which the load makes thousands."""
_TRIES: Final = 200
_ANSWER_S: Final = 2.0
_STEP_S: Final = 0.05
_REMEDY: Final = (
    "; if the load's URL or subprotocols differ, give them to all runs: -- --ws-url URL --ws-subprotocol NAME"
)


class Server:
    """One build's server, ready for load; a context manager.

    ``url`` is its address. A server that was already running is not started, measured or stopped. Raises
    `ServerFailed` when it does not answer within ``timeout_s`` seconds, `UsageError` for a command that can't be run,
    and `OSError` if the log can't be opened.
    """

    def __init__(
        self,
        build: Build,
        *,
        letter: str,
        log: Path,
        guard: Guard,
        handshake: HandshakeOptions,
        timeout_s: float,
        cwd: Path | None = None,
        cores: Cores = frozenset(),
    ) -> None:
        self._build = build
        self._what = f"server {build_name(letter, build.name)}"
        self._child: Command | None = None
        self._meter: Meter | None = None
        self.url = build.url
        if build.command:
            port = str(free_port())
            self.url = build.url.replace(PORT, port)
            words = [word.replace(PORT, port) for word in words_of(build.command, self._what)]
            self._child = Command(words, what=self._what, log=log, guard=guard, cwd=cwd, cores=cores)
        try:
            self._await(handshake, timeout_s)
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def measure(self, expected_s: float) -> None:
        """Starts to sample CPU and memory."""
        if self._child is not None and self._child.running:
            self._meter = Meter(self._child.pid, expected_s=expected_s)

    def figures(self) -> ServerFigures | None:
        """CPU and memory since `measure`; None if the server was not started here."""
        if self._meter is None or self._child is None:
            return None
        meter, self._meter = self._meter, None
        return meter.figures(
            command=self._build.command, url=redact_url(self.url), exit_code=self._child.returncode
        )

    def check(self) -> None:
        """Raises `ServerFailed` when the server has ended by itself."""
        if self._child is not None and not self._child.running:
            raise self._ended("under load")

    def stop(self) -> None:
        """Stops the server and everything that it started; may be called again."""
        if self._meter is not None:
            self.figures()
        if self._child is not None:
            self._child.stop()

    def _await(self, handshake: HandshakeOptions, timeout_s: float) -> None:
        url = resolve_url(handshake.url, self.url)
        url_known = bool(handshake.url) or urlsplit(self.url).path not in ("", "/")
        tls = verifying(handshake.ca_file, insecure=handshake.insecure) if url.startswith("wss") else None
        deadline = time.monotonic() + timeout_s
        problem, refused, since = "nothing answered", 0, 0.0
        while True:
            if self._child is not None and not self._child.running:
                raise self._ended("before it answered")
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise ServerFailed(
                    f"{self._what} did not answer a WebSocket handshake at {redact_url(url)} within "
                    f"{span(timeout_s)}: {problem}{'' if url_known or not refused else _REMEDY}",
                    self._child.tail() if self._child is not None else "",
                )
            try:
                check_handshake(
                    url,
                    subprotocols=handshake.subprotocols,
                    origin=handshake.origin,
                    tls=tls,
                    timeout_s=min(_ANSWER_S, left_s),
                )
            except NoHandshake as error:
                problem = str(error)
                if error.status != refused:
                    refused, since = error.status, time.monotonic()
                wait_s = settled_s(
                    refused, url_known=url_known, subprotocols_known=bool(handshake.subprotocols)
                )
                if wait_s is not None and time.monotonic() - since >= min(wait_s, timeout_s / 2):
                    return
            else:
                return
            time.sleep(_STEP_S)

    def _ended(self, when: str) -> ServerFailed:
        assert self._child is not None
        code = self._child.returncode or 0
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return ServerFailed(f"{self._what} {how} {when}", self._child.tail())


def free_port() -> int:
    """A loopback port that is neither listened on nor used by an outgoing connection; raises `WsloadError`."""
    for _ in range(_TRIES):
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise WsloadError(f"no free port was found between {PORTS[0]} and {PORTS[-1]}")
