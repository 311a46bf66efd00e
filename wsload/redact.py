"""Removes secrets from options and URLs, so that none reaches a file or a message.

Only options on an allow-list are kept (Locust adds options with every version, and the web UI's password is one of
them). Their values are redacted by the option's meaning, and every URL loses its passwords and tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

HIDDEN: Final = "***"

_KEPT: Final = frozenset(
    {
        "num_users",
        "spawn_rate",
        "run_time",
        "stop_timeout",
        "host",
        "processes",
        "expect_workers",
        "tags",
        "exclude_tags",
    }
)
SECRET_OPTIONS: Final = ("ws_bearer", "ws_basic", "ws_proxy")
"""Options whose whole value is shown as ``***``."""
_URLS: Final = frozenset({"host", "ws_beside", "ws_proxy", "ws_url", "ws_origin", "ws_connect_to"})
"""Options that are URLs, or parts of them, even without ``://``."""
NAMED_SECRETS: Final = {"ws_header": ":", "ws_cookie": "="}
"""Options that hold a name and a value, with what lies between them; the name may be shown."""
_SECRET_WORD: Final = re.compile(
    r"(^|_)(pass(word|wd|phrase)?|pwd|secret|token|bearer|basic|cookie|auth|credentials?|key|cert)(_|$)"
)
"""Whole words in an option's name."""
_SECRET_PARAMETER: Final = re.compile(
    r"pass|pwd|secret|token|bearer|auth|credential|session|jwt|sig|key|code|ticket", re.IGNORECASE
)
"""In the name of a URL's query parameter; better to hide one too many."""
_SCHEME: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//")
_AUTHORITY_END: Final = re.compile(r"[/?#]")
_HOST_AND_PORT: Final = re.compile(r"(\[.*\]|[^:]*)(:[0-9]*)?")
_TOKEN: Final = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_.~+=%-]{24,}")
"""A path segment or parameter value that looks like a token."""
_CREDENTIAL: Final = re.compile(r"bearer|token|jwt|auth|secret|passw", re.IGNORECASE)
"""In a subprotocol, which is how browsers send credentials, for want of headers."""


def redacted(options: Mapping[str, object]) -> dict[str, object]:
    """The options that may be stored, as JSON values with secrets replaced by ``***``.

    These are wsload's own (``ws_*``) and those of Locust's that shape the load. Headers and cookies keep their names.
    """
    return {
        name: _value(name, value)
        for name, value in sorted(options.items())
        if name.startswith("ws_") or name in _KEPT
    }


def _value(name: str, value: object) -> object:
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(name, inner) for inner in value]
    if value is None or value == "" or isinstance(value, bool):
        return value
    if name in NAMED_SECRETS:
        head, sign, _ = plain(str(value)).partition(NAMED_SECRETS[name])
        return f"{head}{sign}{HIDDEN}" if sign else HIDDEN
    if _SECRET_WORD.search(name):
        return HIDDEN
    if name == "ws_subprotocol":
        return public_subprotocol(plain(str(value)))
    if isinstance(value, int | float):
        return value if abs(value) < 2**53 else str(value)
    return text_without_secrets(name, plain(str(value)))


def text_without_secrets(name: str, text: str) -> str:
    """An option's text, without the secrets of a URL if it is one."""
    return redact_url(text) if name in _URLS or "://" in text else text


def redact_url(url: str) -> str:
    """The URL with secrets replaced by ``***``.

    That hides the user and password, query parameters whose name or value looks like a secret, path
    segments that look like tokens, and the fragment. Text that is not a URL is treated as far as it resembles one.
    """
    found = _SCHEME.match(url := plain(url))
    scheme = found[0] if found else ""
    rest = url.removeprefix(scheme)
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0]
    if "@" in rest and ("@" in authority or not _HOST_AND_PORT.fullmatch(authority)):
        # A "/", "?", "#" or "@" in a password may be mistaken for its end: hide everything up to the last "@".
        rest = f"{HIDDEN}@{rest.rpartition('@')[2]}"
    rest, has_fragment, _ = rest.partition("#")
    rest, has_query, query = rest.partition("?")
    authority, has_path, path = rest.partition("/")
    path = "/".join(HIDDEN if looks_like_token(segment) else segment for segment in path.split("/"))
    query = "&".join(_parameter(parameter) for parameter in query.split("&"))
    return "".join((scheme, authority, has_path, path, has_query, query, has_fragment and f"#{HIDDEN}"))


def _parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if not equals:
        return HIDDEN if looks_like_token(name) else name
    return f"{name}={HIDDEN}" if is_secret(name, value) else parameter


def is_secret(name: str, value: str) -> bool:
    """Whether a URL's parameter, a header or a cookie is hidden, by its name or since it looks like a token."""
    return _SECRET_PARAMETER.search(name) is not None or looks_like_token(value)


def looks_like_token(text: str) -> bool:
    """Whether it is long, and mixes digits and letters as tokens do."""
    return _TOKEN.fullmatch(text) is not None


def public_subprotocol(name: str) -> str:
    """The subprotocol's name, or ``***`` if it is, or speaks of, credentials."""
    # Long names are dotted and in lower case (``json.reliable.webpubsub.azure.v1``), as JSON Web Tokens never are.
    pieces = name.split(".") if name == name.lower() else (name, *name.split("."))
    return HIDDEN if _CREDENTIAL.search(name) or any(map(looks_like_token, pieces)) else name


def plain(text: str) -> str:
    """The text with lone surrogates, which a command line or JSON may contain, replaced by ``?``."""
    return text.encode("utf-8", "replace").decode()
