"""Keeps secrets out of the responses of Locust's web UI.

Locust puts every option's default into its start page, even if it came from an environment variable, and the host
into its pages, reports and file names. So secrets are replaced in every outgoing response.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Response

from wsload.load.users.sockets.opening import pairs
from wsload.redact import HIDDEN, SECRET_OPTIONS, redact_url

URL_OPTIONS: Final = ("host", "ws_url")
"""URLs, which may hold a password or a token."""
LONG: Final = 8
"""A secret of at least this length is replaced anywhere in the text, a shorter one only as a whole JSON string."""
_TEXT: Final = ("text/", "application/json", "application/javascript")


def shown(option: str, value: str) -> str:
    """How the start form shows an option's value; if the form is posted with it, the configured value is meant."""
    if option in SECRET_OPTIONS:
        return HIDDEN if value else ""
    return redact_url(value)


class PageSecrets:
    """Replaces the secrets of an environment in the web UI's answers."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._at_start = dict(vars(environment.parsed_options))
        environment.web_ui.app.after_request(self.without)

    def without(self, response: Response) -> Response:
        """Replaces the secrets in a response."""
        found = set(self._pairs())
        if name := response.headers.get("Content-Disposition"):
            response.headers["Content-Disposition"] = replaced(name, found)
        if not response.direct_passthrough and (response.mimetype or "").startswith(_TEXT):
            body = response.get_data(as_text=True)
            if (clean := replaced(body, found)) != body:
                response.set_data(clean)
        return response

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """Each secret, present or at the start, with its replacement."""
        environment, urls = self._environment, []
        for options in (self._at_start, vars(environment.parsed_options)):
            for option in SECRET_OPTIONS:
                yield options.get(option) or "", HIDDEN
            yield base64.b64encode((options.get("ws_basic") or "").encode()).decode(), HIDDEN
            for option, sign in (("ws_header", ":"), ("ws_cookie", "=")):
                yield from ((text.partition(sign)[2].strip(), HIDDEN) for text in options.get(option) or ())
            urls += [options.get(option) for option in URL_OPTIONS]
        urls.append(environment.host)
        for user_class in environment.user_classes:
            urls += [user_class.host, getattr(user_class, "url", None)]
            for given in (getattr(user_class, "headers", ()), getattr(user_class, "cookies", ())):
                yield from ((value, HIDDEN) for _, value in pairs(given) if len(value) >= LONG)
        yield from ((url, redact_url(url)) for url in urls if url)


def replaced(text: str, secrets: set[tuple[str, str]]) -> str:
    """The text with the secrets replaced, as JSON, JavaScript and HTML may write them."""
    for secret, stand_in in sorted(secrets, key=lambda pair: -len(pair[0])):
        if not secret or secret == stand_in:
            continue
        for written, instead in zip(_written(secret), _written(stand_in), strict=True):
            text = text.replace(f'"{written}"', f'"{instead}"')
            if len(secret) >= LONG:
                text = text.replace(written, instead)
        userinfo, at, _ = (urlsplit(secret).netloc if "://" in secret else "").rpartition("@")
        if at:
            text = text.replace(f"{userinfo}@", f"{HIDDEN}@")
    return text


def _written(value: str) -> tuple[str, ...]:
    """The value unchanged, in JSON, in Jinja's ``tojson``, and in HTML."""
    in_json = in_script = json.dumps(value)[1:-1]
    for character in "<>&'":
        in_script = in_script.replace(character, f"\\u{ord(character):04x}")
    return value, in_json, in_script, html.escape(value)
