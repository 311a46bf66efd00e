"""wsload's options on Locust's command line, in its environment variables and its start form: the table.

All arrive as text; `wsload.load.options.settings.Settings` reads them.
"""

from __future__ import annotations

from argparse import BooleanOptionalAction
from typing import Any, Final

OPTIONS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("--ws-url", {"metavar": "URL", "default": "", "help": "URL or path to open, resolved against --host. Default: the user class's, or else --host itself."}),
    ("--ws-subprotocol", {"metavar": "NAME", "action": "append", "help": "Subprotocol to offer; repeat in order of preference. Default: the user class's ('json' for the chat)."}),
    ("--ws-rate", {"metavar": "R", "default": "", "help": "Open workload: this many tasks a second in total, spread over all users and ramping up with them, whatever the server does; 'poisson:R' for random arrivals. Default: each user's own wait_time."}),
    ("--ws-profile", {"metavar": "PROFILE", "default": "", "help": "Open workload like --ws-rate, at a rate that changes over time: '0:100/s 60s:1000/s 120s:1000/s 130s:0' goes linearly from point to point. Two points at the same time are a step; '10s:100..900/s~60s' starts a sine wave of 60 s; put 'poisson' before the points for random arrivals."}),
    ("--ws-max-in-flight", {"metavar": "N", "default": "1000", "help": "How many requests of a user may be outstanding; further ones are counted as unsent. Default: 1000."}),
    ("--ws-message-timeout", {"metavar": "TIME", "default": "10s", "help": "A request that is not answered within this time is lost (timeout). Default: 10s."}),
    ("--ws-drain", {"metavar": "TIME", "default": "2s", "help": "How long to wait for outstanding answers at the end. Default: 2s."}),
    ("--ws-open-timeout", {"metavar": "TIME", "default": "10s", "help": "Timeout for opening a connection, and again for logging in. Default: 10s."}),
    ("--ws-ping", {"metavar": "TIME|off", "default": "20s", "help": "Interval between pings on each connection; the first one comes after a random fraction of it. 'off' sends no pings, like a browser. Default: 20s."}),
    ("--ws-ping-timeout", {"metavar": "TIME|off", "default": "20s", "help": "A ping that is not answered within this time fails the connection; 'off' to wait indefinitely. Default: 20s."}),
    ("--ws-reconnect", {"action": BooleanOptionalAction, "default": True, "help": "Whether a user whose connection fails or is dropped reconnects, with backoff; otherwise the user ends. Default: yes."}),
    ("--ws-header", {"action": "append", "metavar": "'NAME: VALUE'", "help": "Additional header of the opening request (repeatable)."}),
    ("--ws-cookie", {"action": "append", "metavar": "NAME=VALUE", "help": "Cookie of the opening request (repeatable)."}),
    ("--ws-basic", {"default": "", "is_secret": True, "metavar": "USER:PASSWORD", "help": "HTTP Basic authorization. Prefer the environment variable LOCUST_WS_BASIC."}),
    ("--ws-bearer", {"default": "", "is_secret": True, "metavar": "TOKEN", "help": "Bearer authorization. Prefer the environment variable LOCUST_WS_BEARER."}),
    ("--ws-origin", {"metavar": "ORIGIN", "default": "", "help": "Origin header, as sent by a browser."}),
    ("--ws-allow-mixed-content", {"action": "store_true", "help": "Open ws:// even with an https:// Origin, which no browser does."}),
    ("--ws-proxy", {"metavar": "URL", "default": "", "is_secret": True, "help": "Proxy URL (http://, https://, socks5h://). Default: none; the environment's proxies are never used."}),
    ("--ws-connect-to", {"metavar": "HOST:PORT", "default": "", "help": "Open TCP connections to this address instead of the URL's host, like curl's --connect-to. The Host header and the name verified in TLS remain the URL's. Default: the URL's host and port."}),
    ("--ws-source-ip", {"action": "append", "metavar": "IP", "help": "Local address to open connections from (repeatable, used round robin). Each address has about 28,000 ports per destination."}),
    ("--ws-compression", {"action": BooleanOptionalAction, "default": False, "help": "Whether permessage-deflate is offered. Default: no."}),
    ("--ws-max-message", {"metavar": "SIZE", "default": "1MiB", "help": "Largest message accepted; a larger one fails the connection with close code 1009. Default: 1MiB."}),
    ("--ws-ca-file", {"default": "", "metavar": "PEM", "help": "Trust the certificate authorities in this file for wss://, instead of the system's."}),
    ("--ws-client-cert", {"default": "", "metavar": "PEM[,KEY]", "help": "Client certificate (and key) for wss://."}),
    ("--ws-insecure", {"action": "store_true", "help": "Do NOT verify wss:// certificates. The results flag this prominently."}),
    ("--ws-check", {"action": "append", "metavar": "CHECK", "help": "A requirement on the run, such as 'message.p99 < 50ms' or 'lost < 1' (repeatable). Further checks are read from [tool.wsload] checks in pyproject.toml."}),
    ("--ws-checks", {"metavar": "FILE", "default": "", "help": "A file of checks, one per line; lines that begin with # are comments."}),
    ("--ws-abort-on", {"action": "append", "metavar": "CONDITION", "help": "End the run when a condition has lasted for some time: 'message.p99 > 1s for 10s' (repeatable). The run is still judged; the exit code is 1."}),
    ("--ws-probe", {"action": "store_true", "help": "Start a probe: a small separate process that logs in to the chat, posts 20 times a second, and takes the kernel's timestamps."}),
    ("--ws-prometheus", {"default": "", "metavar": "[HOST:]PORT", "help": "Serve the run's figures to Prometheus at http://HOST:PORT/metrics, from the process that has the results; HOST is 127.0.0.1 by default, port 0 means any free port. Needs wsload[prometheus]."}),
    ("--ws-json-progress", {"action": "store_true", "help": "Print the live figures on standard output, one line of JSON per second; the table at the end goes to standard error."}),
    ("--ws-warm-up", {"metavar": "TIME|ramp", "default": "", "help": "Measure only what comes after this time, or after the ramp: once all users have started for the first time; with a load shape, those of its first stage. The logs keep everything. Default: no warm-up."}),
    ("--ws-tolerance", {"metavar": "TIME", "default": "1ms", "help": "A percentile is trusted if the load generator's own lateness can have moved it by no more than this, or by a tenth of its value. Default: 1ms."}),
    ("--ws-allow-invalid", {"action": "store_true", "help": "Judge and exit as if all figures were trusted; those that are not remain marked."}),
    ("--ws-results", {"default": "results", "metavar": "DIR", "help": "Where to create results directories. Default: results."}),
    ("--ws-build", {"default": "", "metavar": "LABEL", "help": "The label of the build under test, for the results."}),
    ("--ws-beside", {"default": "", "metavar": "URL", "help": "Load this second server at the same time and from the same process, with the same number of users and its own results directory, to compare the two. Only with --headless. Default: none."}),
    ("--ws-beside-results", {"default": "", "metavar": "DIR", "help": "With --ws-beside: where to create its results directory. Default: same as --ws-results."}),
    ("--ws-beside-build", {"default": "beside", "metavar": "LABEL", "help": "With --ws-beside: the label of that server's build. Default: beside."}),
)  # fmt: skip

DEFAULTS: Final[dict[str, Any]] = {
    name[2:].replace("-", "_"): settings.get(
        "default", False if settings.get("action") == "store_true" else None
    )
    for name, settings in OPTIONS
}
"""By their names among the parsed ones; None for those that can be repeated."""
HOST_BOUND: Final = ("ws_source_ip", "ws_ca_file", "ws_client_cert")
"""Addresses and files of one host: a master sends its workers all options of wsload, even those that it doesn't have."""

FORM: Final = {
    "--ws-rate": "tasks/s: 200, poisson:200",
    "--ws-profile": "0:100/s 60s:1000/s",
    "--ws-check": "message.p99 < 50ms, lost < 1",
    "--ws-build": "a label, such as v1.4",
    "--ws-url": "path or URL",
    "--ws-subprotocol": "preferred first",
    "--ws-warm-up": "10s, or ramp",
    "--ws-message-timeout": "time until a request is lost",
    "--ws-bearer": "a token",
    "--ws-basic": "user:password",
    "--ws-proxy": "its URL",
}
"""The fields of the web UI's start form, in this order, each with its label, which is short enough for a phone."""


def add_options(parser: Any, *, labelled: bool = False) -> None:
    """Adds wsload's options to Locust's parser, each with its ``LOCUST_WS_…`` variable.

    Those of the start form come first, in the order of its fields. ``labelled`` gives them the form's short labels as
    their help text: Locust prints ``--help`` before it loads a locustfile, so nobody would see the longer texts.
    """
    table = dict(OPTIONS)
    for name, settings in {name: table[name] for name in (*FORM, *table)}.items():
        if labelled and name in FORM:
            settings = {**settings, "help": FORM[name]}
        variable = "LOCUST_" + name[2:].replace("-", "_").upper()
        parser.add_argument(name, env_var=variable, include_in_web_ui=name in FORM, **settings)


class OwnOptions:
    """The options that a process was given itself: a worker keeps the `HOST_BOUND` of its own command line."""

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
