"""wsload's options on Locust's command line, in its environment variables and its start form.

All arrive as text and are read in one place, `Settings.of`, so that a mistake reads the same
whether it came from the command line, from ``LOCUST_WS_…`` or from the browser.
"""

from __future__ import annotations

import base64
import dataclasses
import ssl
import tomllib
from argparse import BooleanOptionalAction, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from wsload.analysis.checks import Check, parse_check
from wsload.engine.opening import OpenOptions
from wsload.engine.url import refuse_mixed_content, resolve_url
from wsload.errors import UsageError
from wsload.plugin.values import addresses, byte_count, duration_s, header, number, one_of, token_list, whole

OPTIONS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("--ws-url", {"default": "", "help": "URL or path to open, resolved against --host. Default: the user class's, '/'."}),
    ("--ws-subprotocol", {"action": "append", "help": "Subprotocol to offer; repeat in order of preference. Default: the user class's ('json' for the chat)."}),
    ("--ws-rate", {"default": "", "help": "Open workload: this many tasks a second in total, spread over the swarm and ramping with it, whatever the server does; 'poisson:R' for random arrivals. Default: each user's own wait_time."}),
    ("--ws-max-in-flight", {"default": "1000", "help": "Per user, so many posts may await their echo; what would exceed it is counted unsent. Default: %(default)s."}),
    ("--ws-message-timeout", {"default": "10s", "help": "A message without its answer for so long is a timeout, and lost. Default: %(default)s."}),
    ("--ws-drain", {"default": "2s", "help": "At the end, wait so long for echoes still owed. Default: %(default)s."}),
    ("--ws-open-timeout", {"default": "10s", "help": "For opening a connection, and again for logging in. Default: %(default)s."}),
    ("--ws-reconnect", {"action": BooleanOptionalAction, "default": True, "help": "Whether a user whose connection fails or is dropped tries again, with backoff; otherwise the user ends."}),
    ("--ws-header", {"action": "append", "include_in_web_ui": False, "metavar": "'NAME: VALUE'", "help": "Additional header of the opening request; repeatable."}),
    ("--ws-cookie", {"action": "append", "include_in_web_ui": False, "metavar": "NAME=VALUE", "help": "Cookie of the opening request; repeatable."}),
    ("--ws-basic", {"default": "", "is_secret": True, "metavar": "USER:PASSWORD", "help": "HTTP Basic authorization. Better given as LOCUST_WS_BASIC."}),
    ("--ws-bearer", {"default": "", "is_secret": True, "metavar": "TOKEN", "help": "Bearer authorization. Better given as LOCUST_WS_BEARER."}),
    ("--ws-origin", {"default": "", "help": "Origin header, as a browser sends it."}),
    ("--ws-allow-mixed-content", {"action": "store_true", "help": "Open ws:// even with an https:// Origin, which no browser does."}),
    ("--ws-proxy", {"default": "", "is_secret": True, "help": "Proxy URL (http://, https://, socks5h://). Default: none, whatever the environment says."}),
    ("--ws-source-ip", {"action": "append", "include_in_web_ui": False, "metavar": "IP", "help": "Local address to open connections from; repeatable, taken in turn. One address has about 28,000 ports per destination."}),
    ("--ws-compression", {"action": BooleanOptionalAction, "default": False, "help": "Whether permessage-deflate is offered."}),
    ("--ws-max-message", {"default": "1MiB", "help": "A larger message fails the connection with 1009. Default: %(default)s."}),
    ("--ws-ca-file", {"default": "", "metavar": "PEM", "help": "Trust these authorities for wss://, instead of the system's."}),
    ("--ws-client-cert", {"default": "", "metavar": "PEM[,KEY]", "help": "Client certificate (and key) for wss://."}),
    ("--ws-insecure", {"action": "store_true", "help": "Do NOT verify wss:// certificates. Said loudly in the results."}),
    ("--ws-check", {"action": "append", "metavar": "CHECK", "help": "What the run has to fulfil, such as 'message.p99 < 50ms' or 'lost.rate <= 0.1%%'; repeatable. More in [tool.wsload] checks of pyproject.toml."}),
    ("--ws-allow-invalid", {"action": "store_true", "help": "Exit as if a run in which the load generator was the bottleneck were valid; it stays marked."}),
    ("--ws-results", {"default": "results", "metavar": "DIR", "help": "Where results directories are made. Default: %(default)s."}),
    ("--ws-build", {"default": "", "metavar": "LABEL", "help": "What is measured: names the build in the results."}),
)  # fmt: skip


def add_options(parser: Any) -> None:
    """Adds wsload's options to Locust's parser, each with its ``LOCUST_WS_…`` variable."""
    for name, settings in OPTIONS:
        parser.add_argument(name, env_var="LOCUST_" + name[2:].replace("-", "_").upper(), **settings)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the options say, read and checked."""

    url: str
    """To open, absolute or relative to the host; empty for the user class's."""
    subprotocols: tuple[str, ...] | None
    """To offer; None for the user class's."""
    rate: float
    """Tasks a second over the whole swarm; 0 for each user's own wait_time."""
    poisson: bool
    """Whether ``rate`` comes at random."""
    max_in_flight: int
    """Posts a user may have pending."""
    message_timeout_ns: int
    drain_s: float
    open_timeout_s: float
    reconnect: bool
    allow_mixed_content: bool
    allow_invalid: bool
    checks: tuple[Check, ...]
    """What the run has to fulfil: pyproject.toml's, then the options'."""
    insecure: bool
    opening: OpenOptions
    """How connections are opened; holds secrets."""
    results: Path
    """Where results directories are made."""
    build: str
    """The build's label."""

    @classmethod
    def of(cls, options: Namespace) -> Settings:
        """Reads the options. Raises `UsageError` naming the option, its value and what is allowed."""
        read = _Reader(vars(options))
        poisson, rate = read("ws_rate", _rate, "")
        return cls(
            url=read("ws_url", _url, ""),
            subprotocols=read("ws_subprotocol", token_list, None) or None,
            rate=rate,
            poisson=poisson,
            max_in_flight=read("ws_max_in_flight", whole(1, 1_000_000), "1000"),
            message_timeout_ns=int(read("ws_message_timeout", duration_s(0.01, 3600), "10s") * 1e9),
            drain_s=read("ws_drain", duration_s(0, 600), "2s"),
            open_timeout_s=read("ws_open_timeout", duration_s(0.01, 600), "10s"),
            reconnect=read("ws_reconnect", bool, True),
            allow_mixed_content=read("ws_allow_mixed_content", bool, False),
            allow_invalid=read("ws_allow_invalid", bool, False),
            checks=(*project_checks(Path("pyproject.toml")), *read("ws_check", _checks, None)),
            insecure=read("ws_insecure", bool, False),
            opening=_opening(read),
            results=Path(read("ws_results", str, "") or "results"),
            build=read("ws_build", str, ""),
        )

    def target(self, class_url: str, host: str | None) -> str:
        """The absolute URL that users of a class open; raises `UsageError` where a browser would refuse."""
        url = resolve_url(self.url or class_url, host)
        if not self.allow_mixed_content:
            refuse_mixed_content(url, self.opening.origin)
        return url


class _Reader:
    """Reads one option after the other, naming the one that is wrong."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __call__(self, dest: str, parse: Callable[[Any], Any], default: Any) -> Any:
        value = self._values.get(dest)
        try:
            return parse(default if value is None else value)
        except (ValueError, OSError, UsageError) as error:
            if isinstance(error, UsageError) and "\n" in str(error):
                raise UsageError(
                    f"argument --{dest.replace('_', '-')}:\n{error}"
                ) from None  # it points at a place
            secret = dest in ("ws_basic", "ws_bearer", "ws_proxy", "ws_header", "ws_cookie")
            shown = "" if secret else f" {value!r}"
            raise UsageError(f"argument --{dest.replace('_', '-')}:{shown}: {error}") from None


def _opening(read: _Reader) -> OpenOptions:
    headers: list[tuple[str, str]] = read("ws_header", _headers, None)
    cookies = read("ws_cookie", _cookies, None)
    if cookies:
        headers.append(("Cookie", "; ".join(cookies)))
    if basic := read("ws_basic", _basic, ""):
        headers.append(("Authorization", "Basic " + base64.b64encode(basic.encode()).decode()))
    if bearer := read("ws_bearer", _one_line, ""):
        headers.append(("Authorization", f"Bearer {bearer}"))
    return OpenOptions(
        headers=tuple(headers),
        origin=read("ws_origin", _one_line, "") or None,
        timeout_s=read("ws_open_timeout", duration_s(0.01, 600), "10s"),
        compression=read("ws_compression", bool, False),
        tls=_tls(read),
        proxy=read("ws_proxy", _proxy, "") or None,
        source_ips=read("ws_source_ip", addresses, None),
        max_message_bytes=read("ws_max_message", byte_count(1, 1 << 30), "1MiB"),
    )


def _tls(read: _Reader) -> ssl.SSLContext:
    def trusted(path: str) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=path or None)

    context: ssl.SSLContext = read("ws_ca_file", trusted, "")

    def load_certificate(text: str) -> None:
        if text:
            context.load_cert_chain(*text.split(",", 1))

    read("ws_client_cert", load_certificate, "")
    if read("ws_insecure", bool, False):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _texts(values: Any) -> list[str]:
    return [text for text in values or [] if text]


def _headers(values: Any) -> list[tuple[str, str]]:
    return [header(text) for text in _texts(values)]


def _checks(values: Any) -> tuple[Check, ...]:
    return tuple(parse_check(text) for text in _texts(values))


def project_checks(path: Path) -> tuple[Check, ...]:
    """The checks of ``[tool.wsload]`` in a project's file, none where there is no such file.

    Raises `UsageError` for a file that can't be read, and for what is not a list of checks.
    """
    if not path.is_file():
        return ()
    try:
        found = tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("wsload", {}).get("checks", [])
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise UsageError(f"{path}: [tool.wsload] checks: a list of texts is wanted, such as ['lost < 1']")
    return _checks(found)


def _cookies(values: Any) -> list[str]:
    cookies = _texts(values)
    for cookie in cookies:
        if "=" not in cookie or ";" in cookie or not cookie.isprintable():
            raise ValueError("a cookie is NAME=VALUE")
    return cookies


def _one_line(text: str) -> str:
    if not text.isprintable() or not text.isascii():
        raise ValueError("printable ASCII is allowed")
    return text


def _basic(text: str) -> str:
    if text and ":" not in text:
        raise ValueError("USER:PASSWORD is wanted")
    return text


def _proxy(text: str) -> str:
    if text and text.split("://", 1)[0] not in ("http", "https", "socks4", "socks4a", "socks5", "socks5h"):
        raise ValueError("a proxy is a URL with http, https, socks4(a) or socks5(h)")
    return text


def _url(text: str) -> str:
    resolve_url(text, "ws://localhost") if text else None
    return text


def _rate(text: str) -> tuple[bool, float]:
    if not text:
        return False, 0.0
    kind, colon, rest = text.rpartition(":")
    if colon:
        one_of("poisson", "constant")(kind)
    return kind == "poisson", number(0.001, 1e6)(rest)
