"""What a server quotes from a request: the request's secrets are hidden before such a text is shown or stored.

Many servers answer an error with what they were sent: the path that has no route, the token that is not valid, the
whole input that a check refused.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote, unquote_plus, urlsplit

from wsload.redact import HIDDEN, is_secret, looks_like_token, public_subprotocol

MIN_SECRET: Final = 4
"""A shorter value is found in any text by chance, and is no secret."""
MAX_DEEP: Final = 8
"""Levels of a body that are searched for secrets."""
_CREDENTIALS: Final = ("authorization", "proxy-authorization")


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text with these secrets replaced by ``***``, also where one is cut off by the text's end."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        forms = _forms(secret)
        for form in forms:
            text = text.replace(form, HIDDEN)
        for form in forms:
            text = _cut_off(text, form)
    return text


def _forms(secret: str) -> list[str]:
    """As it stands, and as URLs, HTML and JSON write it; the longest first."""
    forms = {secret}
    for text in (secret, unquote(secret), unquote_plus(secret)):
        forms |= {text, quote(text), quote(text, safe=""), html.escape(text), json.dumps(text)[1:-1]}
    return sorted((form for form in forms if len(form) >= MIN_SECRET), key=len, reverse=True)


def _cut_off(text: str, secret: str) -> str:
    body = text.rstrip("'\"… ")
    for length in range(len(secret) - 1, MIN_SECRET - 1, -1):
        if body.endswith(secret[:length]):
            return body[:-length] + HIDDEN + text[len(body) :]
    return text


def secrets_of_url(url: str) -> Iterator[str]:
    """Its user and password, the values of parameters that are secret, and path segments that look like tokens."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    for part in (parts.username, parts.password):
        if part:
            yield unquote(part)
    for name, equals, value in (parameter.partition("=") for parameter in parts.query.split("&")):
        if equals and is_secret(name, value):
            yield value
        elif not equals and looks_like_token(name):
            yield name
    yield from (segment for segment in parts.path.split("/") if looks_like_token(segment))


def secrets_of_headers(headers: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Credentials, the values of cookies, and of other headers that are secret by their name or their look."""
    for name, value in headers:
        if name.lower() == "cookie":
            yield from (each.partition("=")[2].strip() for each in value.split(";"))
        elif name.lower() in _CREDENTIALS:
            scheme, _, credentials = value.partition(" ")
            yield credentials or scheme
            if scheme.lower() == "basic":
                yield _password(credentials)
        elif is_secret(name, value):
            yield value


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials).decode("utf-8", "replace").partition(":")[2]
    except ValueError:
        return ""


def secrets_of_subprotocols(names: Iterable[str]) -> Iterator[str]:
    """Those that hold a token."""
    yield from (name for name in names if public_subprotocol(name) == HIDDEN)


def secrets_of_body(value: Any, name: str = "", *, deep: int = MAX_DEEP) -> Iterator[str]:
    """The texts of a JSON value or a form that are secret by the name of their member, or by their look."""
    if isinstance(value, str):
        if is_secret(name, value):
            yield value
    elif deep and isinstance(value, Mapping):
        for key, inner in value.items():
            yield from secrets_of_body(inner, str(key), deep=deep - 1)
    elif deep and isinstance(value, list | tuple):
        for inner in value:
            yield from secrets_of_body(inner, name, deep=deep - 1)
