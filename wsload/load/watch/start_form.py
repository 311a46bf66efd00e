"""Checks what is posted to Locust's start form before the run starts, so that a mistake is shown in the form.

Anyone who can reach the web UI can post to it, and so can any website open in a browser on that machine. So only
fields of the form are accepted, and secrets are sent only to the servers for which they were given.
"""

from __future__ import annotations

import errno
import logging
import socket
from argparse import Namespace
from collections.abc import Callable, Collection
from dataclasses import dataclass
from socket import AF_INET, AF_INET6
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from flask import Response, jsonify, request

from wsload.errors import UsageError
from wsload.load.locust.compat import is_loading
from wsload.load.users.sockets.opening import pairs
from wsload.load.watch.page_secrets import URL_OPTIONS, shown
from wsload.load.watch.web_ui_compat import SWARM, USER, address_of, chosen_classes, fields_in_the_form
from wsload.redact import NAMED_SECRETS, SECRET_OPTIONS
from wsload.words import listed

logger = logging.getLogger("wsload")

SENT: Final = (*(each for each in SECRET_OPTIONS if each != "ws_proxy"), *NAMED_SECRETS)
"""Options whose values are sent to the server."""

MISTAKES: Final = (
    "<style>[role=alert] { white-space: pre-wrap; font-family: ui-monospace, monospace }</style>"
)
"""For Locust's page, so that the caret below a mistake is at its place."""

Origin = tuple[bool, str, int | None]
"""Whether TLS is used, the host and the port."""


def origin_of(url: str) -> Origin:
    """The server that a URL reaches; the port may be implied."""
    parts = urlsplit(url)
    secure = parts.scheme in ("wss", "https")
    return secure, (parts.hostname or parts.path).lower(), parts.port or (443 if secure else 80)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The servers that a run's users send to."""

    origins: frozenset[Origin]
    proxy: str
    verified: bool
    """Whether certificates are verified."""

    def is_within(self, other: Reach) -> bool:
        """Whether secrets that were given for ``other`` may be sent here."""
        return (
            self.origins <= other.origins
            and self.proxy == other.proxy
            and (self.verified or not other.verified)
        )

    def __str__(self) -> str:
        return listed([f"{host}:{port}" for _, host, port in sorted(self.origins, key=str)])


class Targets(Protocol):
    """The URLs that users would open with these options and the host of the form. Raises `UsageError`."""

    def __call__(
        self,
        options: Namespace,
        /,
        *,
        host_known: bool = True,
        form_host: str = "",
        user_classes: Collection[Any] | None = None,
    ) -> list[str]: ...


class StartForm:
    """Checks each post to ``/swarm``, and to ``/user``, which changes user classes.

    ``targets`` returns the URLs that users would open; see `Targets`.
    ``is_ending`` tells whether a run has yet to end, so that none can be started.
    """

    def __init__(
        self,
        environment: Any,
        targets: Targets,
        is_ending: Callable[[], bool],
    ) -> None:
        self._environment = environment
        self._targets = targets
        self._is_ending = is_ending
        self._in_form = fields_in_the_form()
        self._at_start = dict(vars(environment.parsed_options))
        self._given_for: dict[str, Reach] = {}
        """By secret, where it may be sent: the servers for which it was given, or else those it was first sent to."""
        self._bind(environment.parsed_options, self._targets(environment.parsed_options, host_known=False))
        policies = environment.web_ui.app.jinja_env.policies
        policies["json.dumps_kwargs"] = {"sort_keys": False}  # the fields keep their order
        base = (environment.parsed_options.web_base_path or "").rstrip("/")
        checks = {f"{base}{SWARM}": self._swarm, f"{base}{USER}": self._user}
        # Checked only after the login, since the messages tell which files and names exist.
        guarded = {path: environment.web_ui.auth_required_if_enabled(check) for path, check in checks.items()}
        environment.web_ui.app.before_request(
            lambda: guarded[request.path]() if request.path in guarded and request.method == "POST" else None
        )

    def _swarm(self) -> Response | None:
        try:
            self._check()
        except UsageError as error:
            return self._refused(str(error))
        return None

    def _user(self) -> Response | None:
        asked = request.get_json(force=True, silent=True)
        changed = {"host", "url", "headers", "cookies"} & set(asked if isinstance(asked, dict) else ())
        if changed and self._secrets(vars(self._environment.parsed_options)):
            return self._refused(
                f"{listed(sorted(changed))} can't be changed here, since the run has secrets"
            )
        return None

    def _refused(self, message: str) -> Response:
        return jsonify(
            {"success": False, "message": message, "host": shown("host", self._environment.host or "")}
        )

    def _check(self) -> None:
        if self._is_ending():
            raise UsageError("the last run is still ending: start the next one when it has stopped")
        configured = vars(self._environment.parsed_options)
        posted = self._restored(configured)
        if hidden := sorted(name for name in posted if name in configured and name not in self._in_form):
            names = [f"--{name.replace('_', '-')}" for name in hidden]
            raise UsageError(f"argument {listed(names)}: can't be set in the start form")
        options = Namespace(**configured)
        for name, text in posted.items():
            if name.startswith("ws_"):
                ticked = text == "true"
                setattr(options, name, ticked if isinstance(configured.get(name), bool) else text)
        # Locust has not taken them over yet.
        chosen = chosen_classes(self._environment.web_ui, request.form.getlist("user_classes"))
        if is_loading(self._environment.runner) and set(chosen) != set(self._environment.user_classes):
            raise UsageError("user classes can't be changed during a run: stop it first")  # Locust would fail
        targets = self._targets(options, form_host=posted.get("host", ""), user_classes=chosen)
        self._bind(options, targets, chosen)

    def _restored(self, configured: dict[str, Any]) -> dict[str, str]:
        """The posted fields, with redacted secrets replaced by the real ones, for Locust too."""
        texts = {name: request.form.getlist(name) for name in request.form}
        for name in texts.keys() & {*SECRET_OPTIONS, *URL_OPTIONS}:
            host = self._environment.host if name == "host" else ""
            for known in (host, configured.get(name), self._at_start.get(name)):
                if known and texts[name] == [shown(name, known)]:
                    texts[name] = [known]
        request.form = type(request.form)(texts)
        return {name: text for name, (text, *_) in texts.items()}

    def _secrets(self, options: dict[str, Any], user_classes: Collection[Any] | None = None) -> set[str]:
        """The secrets that would be sent to a server."""
        found = {str(options[name]) for name in SENT if options.get(name)}
        for user_class in self._environment.user_classes if user_classes is None else user_classes:
            for given in (getattr(user_class, "headers", ()), getattr(user_class, "cookies", ())):
                found |= {value for _, value in pairs(given)}
        return found

    def _bind(
        self, options: Namespace, targets: list[str], user_classes: Collection[Any] | None = None
    ) -> None:
        """Raises `UsageError` if a secret would be sent to another server than it was given for."""
        if not targets:
            return
        reach = Reach(
            origins=frozenset(map(origin_of, targets)),
            proxy=getattr(options, "ws_proxy", None) or "",
            verified=not getattr(options, "ws_insecure", False),
        )
        secrets = self._secrets(vars(options), user_classes)
        for secret in secrets:
            if (given_for := self._given_for.get(secret)) and not reach.is_within(given_for):
                raise UsageError(
                    f"the credentials, headers or cookies were given for {given_for}: "
                    "to use another host or proxy, or to skip certificate verification, start another locust process"
                )
        self._given_for.update(dict.fromkeys(secrets - self._given_for.keys(), reach))


def refuse_a_busy_port(web_ui: Any) -> None:
    """Raises `UsageError` if the web UI, which has not been started yet, can't listen on its address.

    Locust would start it in a greenlet that fails with a traceback.
    """
    host, port = address_of(web_ui)
    try:
        socket.create_server((host, port), family=AF_INET6 if ":" in host else AF_INET).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"argument --web-port: {port}: the port is in use: choose another, or stop the process that uses it"
            ) from None
        why = (error.strerror or str(error)).partition(" (")[0]
        raise UsageError(f"argument --web-host, --web-port: can't listen on {host}:{port} ({why})") from None


def warn_of_an_open_page(options: Namespace) -> None:
    """Logs a warning if the web UI is reachable from elsewhere without a login."""
    host = options.web_host
    if options.web_login or host in ("localhost", "::1") or host.startswith("127."):
        return
    everywhere = host in ("", "*", "0.0.0.0", "::")  # noqa: S104
    logger.warning(
        "The web UI listens on %s without a login: anyone who reaches port %d can start and stop runs. "
        "Use --web-host 127.0.0.1, or --web-login",
        "all interfaces" if everywhere else host,
        options.web_port,
    )
