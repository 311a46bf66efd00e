"""wsload's options on Locust's command line, in its environment variables and its start form: the table.

All arrive as text; `wsload.load.options.settings.Settings` reads them.
"""

from __future__ import annotations

from argparse import BooleanOptionalAction
from typing import Any, Final

OPTIONS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("--ws-url", {"metavar": "URL", "default": "", "help": "URL or path to open, resolved against --host. Default: the user class's, '/'."}),
    ("--ws-subprotocol", {"metavar": "NAME", "action": "append", "help": "Subprotocol to offer; repeat in order of preference. Default: the user class's ('json' for the chat)."}),
    ("--ws-rate", {"metavar": "R", "default": "", "help": "Open workload: this many tasks a second in total, spread over the swarm and ramping with it, whatever the server does; 'poisson:R' for random arrivals. Default: each user's own wait_time."}),
    ("--ws-profile", {"metavar": "PROFILE", "default": "", "help": "Open workload as --ws-rate, at a rate that changes over time: '0:100/s 60s:1000/s 120s:1000/s 130s:0' goes straight from point to point. Two points at the same time are a step, '10s:100..900/s~60s' begins a sine of 60 s, 'poisson' before the points is for random arrivals."}),
    ("--ws-max-in-flight", {"metavar": "N", "default": "1000", "help": "Per user, so many posts may await their echo; what would exceed it is counted unsent. Default: 1000."}),
    ("--ws-message-timeout", {"metavar": "TIME", "default": "10s", "help": "A message without its answer for so long is a timeout, and lost. Default: 10s."}),
    ("--ws-drain", {"metavar": "TIME", "default": "2s", "help": "At the end, wait so long for echoes still owed. Default: 2s."}),
    ("--ws-open-timeout", {"metavar": "TIME", "default": "10s", "help": "For opening a connection, and again for logging in. Default: 10s."}),
    ("--ws-ping", {"metavar": "TIME|off", "default": "20s", "help": "Each connection is pinged this often, the first time after a random part of it; 'off' for never, as a browser. Default: 20s."}),
    ("--ws-ping-timeout", {"metavar": "TIME|off", "default": "20s", "help": "A ping unanswered for so long fails the connection; 'off' for never. Default: 20s."}),
    ("--ws-reconnect", {"action": BooleanOptionalAction, "default": True, "help": "Whether a user whose connection fails or is dropped tries again, with backoff; otherwise the user ends."}),
    ("--ws-header", {"action": "append", "metavar": "'NAME: VALUE'", "help": "Additional header of the opening request; repeatable."}),
    ("--ws-cookie", {"action": "append", "metavar": "NAME=VALUE", "help": "Cookie of the opening request; repeatable."}),
    ("--ws-basic", {"default": "", "is_secret": True, "metavar": "USER:PASSWORD", "help": "HTTP Basic authorization. Better given as LOCUST_WS_BASIC."}),
    ("--ws-bearer", {"default": "", "is_secret": True, "metavar": "TOKEN", "help": "Bearer authorization. Better given as LOCUST_WS_BEARER."}),
    ("--ws-origin", {"metavar": "ORIGIN", "default": "", "help": "Origin header, as a browser sends it."}),
    ("--ws-allow-mixed-content", {"action": "store_true", "help": "Open ws:// even with an https:// Origin, which no browser does."}),
    ("--ws-proxy", {"metavar": "URL", "default": "", "is_secret": True, "help": "Proxy URL (http://, https://, socks5h://). Default: none, whatever the environment says."}),
    ("--ws-connect-to", {"metavar": "HOST:PORT", "default": "", "help": "Open TCP connections to this address, whatever the URL's host: as curl's --connect-to. The Host header and the name verified in TLS stay the URL's. Default: the URL's host and port."}),
    ("--ws-source-ip", {"action": "append", "metavar": "IP", "help": "Local address to open connections from; repeatable, taken in turn. One address has about 28,000 ports per destination."}),
    ("--ws-compression", {"action": BooleanOptionalAction, "default": False, "help": "Whether permessage-deflate is offered."}),
    ("--ws-max-message", {"metavar": "SIZE", "default": "1MiB", "help": "A larger message fails the connection with 1009. Default: 1MiB."}),
    ("--ws-ca-file", {"default": "", "metavar": "PEM", "help": "Trust these authorities for wss://, instead of the system's."}),
    ("--ws-client-cert", {"default": "", "metavar": "PEM[,KEY]", "help": "Client certificate (and key) for wss://."}),
    ("--ws-insecure", {"action": "store_true", "help": "Do NOT verify wss:// certificates. Said loudly in the results."}),
    ("--ws-check", {"action": "append", "metavar": "CHECK", "help": "What the run has to fulfil, such as 'message.p99 < 50ms' or 'lost < 1'; repeatable. More in [tool.wsload] checks of pyproject.toml."}),
    ("--ws-checks", {"metavar": "FILE", "default": "", "help": "A file of checks, one a line; lines that begin with # are comments."}),
    ("--ws-abort-on", {"action": "append", "metavar": "CONDITION", "help": "End the run when this lasts for so long: 'message.p99 > 1s for 10s'; it is judged then, and the exit code is 1. Repeatable."}),
    ("--ws-probe", {"action": "store_true", "help": "Start a probe: a small separate process that logs in to the chat, posts 20 times a second, and takes the kernel's timestamps."}),
    ("--ws-prometheus", {"default": "", "metavar": "[HOST:]PORT", "help": "Serve the run's figures to Prometheus, at http://HOST:PORT/metrics, from the process that owns the run; port 0 for a free one. Needs wsload[prometheus]. HOST is 127.0.0.1 unless given."}),
    ("--ws-json-progress", {"action": "store_true", "help": "Print the live figures once a second as a JSON object a line on standard output; the table at the end goes to standard error."}),
    ("--ws-warm-up", {"metavar": "TIME|ramp", "default": "", "help": "Measure only what comes after this time, or after the ramp; Locust's --reset-stats means the ramp too. The log keeps everything. Default: all is measured."}),
    ("--ws-tolerance", {"metavar": "TIME", "default": "1ms", "help": "A percentile is trusted that the load generator's own lateness can have moved by this, or by a tenth, at most. Default: 1ms."}),
    ("--ws-allow-invalid", {"action": "store_true", "help": "Judge and exit as if figures that can't be trusted could be; they stay marked."}),
    ("--ws-results", {"default": "results", "metavar": "DIR", "help": "Where results directories are made. Default: results."}),
    ("--ws-build", {"default": "", "metavar": "LABEL", "help": "What is measured: names the build in the results."}),
)  # fmt: skip


FORM: Final = {
    "--ws-rate": "tasks a second in all: 200, or poisson:200; empty: each user's own wait time",
    "--ws-profile": "a rate that changes: 0:100/s 60s:1000/s; instead of a rate",
    "--ws-check": "message.p99 < 50ms, lost < 1",
    "--ws-build": "a label for what is measured",
    "--ws-url": "a path or URL; empty: the user class's",
    "--ws-subprotocol": "in order of preference, with commas",
    "--ws-warm-up": "not measured: a time such as 10s, or ramp",
    "--ws-message-timeout": "then a request is lost",
    "--ws-bearer": "a token",
    "--ws-basic": "user:password",
    "--ws-proxy": "its URL",
}
"""The fields of the web UI's start form, in this order, each with its label; all other options are the command's."""


def add_options(parser: Any, *, labelled: bool = False) -> None:
    """Adds wsload's options to Locust's parser, each with its ``LOCUST_WS_…`` variable.

    Those of the start form come first, since that is the order of its fields. ``labelled`` gives them its short labels
    as their help, which the command line does not need: Locust prints its help before it knows of wsload.
    """
    table = dict(OPTIONS)
    for name, settings in {name: table[name] for name in (*FORM, *table)}.items():
        if labelled and name in FORM:
            settings = {**settings, "help": FORM[name]}
        variable = "LOCUST_" + name[2:].replace("-", "_").upper()
        parser.add_argument(name, env_var=variable, include_in_web_ui=name in FORM, **settings)
