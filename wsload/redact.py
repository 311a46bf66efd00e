"""What may be stored and shown of a run's options and URLs: secrets never reach a file or a message.

Options are kept by an allow-list (Locust's own grow with every version and include the web UI's
password), values by what their option means, and every URL without its passwords and tokens.
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
_NAMED_VALUES: Final = {"ws_header": ":", "ws_cookie": "="}
"""Options of the form name, sign, value: the names may be shown."""
_SECRET_WORD: Final = re.compile(
    r"(^|_)(pass(word|wd|phrase)?|pwd|secret|token|bearer|basic|cookie|auth|credentials?|key|cert)(_|$)"
)
"""In an option's name; whole words only."""
_SECRET_PARAMETER: Final = re.compile(
    r"pass|pwd|secret|token|bearer|auth|credential|session|jwt|sig|key|code|ticket", re.IGNORECASE
)
"""In the name of a URL's query parameter; rather one too many."""
_SCHEME: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//")
_AUTHORITY_END: Final = re.compile(r"[/?#]")
_HOST_AND_PORT: Final = re.compile(r"(\[.*\]|[^:]*)(:[0-9]*)?")
_TOKEN: Final = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_.~+=%-]{24,}")
"""A path segment or a parameter's value that looks like a token, whatever its name."""


def redacted(options: Mapping[str, object]) -> dict[str, object]:
    """The options as they may be stored: plain JSON values, secrets replaced by ``***``.

    Kept are wsload's own (``ws_*``) and those of Locust's that shape the load; of headers and
    cookies the names.
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
    if name in _NAMED_VALUES:
        head, sign, _ = plain(str(value)).partition(_NAMED_VALUES[name])
        return f"{head}{sign}{HIDDEN}" if sign else HIDDEN
    if _SECRET_WORD.search(name):
        return HIDDEN
    if isinstance(value, int | float):
        return value if abs(value) < 2**53 else str(value)
    text = plain(str(value))
    return redact_url(text) if name in {"host", "ws_proxy", "ws_url"} or "://" in text else text


def redact_url(url: str) -> str:
    """The URL with everything secret replaced by ``***``.

    Hidden are the user and password, query parameters whose name or value looks like a secret, path
    segments that look like tokens, and a fragment. What is not a URL comes back as it can be read.
    """
    found = _SCHEME.match(url := plain(url))
    scheme = found[0] if found else ""
    rest = url.removeprefix(scheme)
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0]
    if "@" in rest and ("@" in authority or not _HOST_AND_PORT.fullmatch(authority)):
        # A "/", "?", "#" or "@" in a password only seems to end it: hide all up to the last "@".
        rest = f"{HIDDEN}@{rest.rpartition('@')[2]}"
    rest, has_fragment, _ = rest.partition("#")
    rest, has_query, query = rest.partition("?")
    authority, has_path, path = rest.partition("/")
    path = "/".join(HIDDEN if _TOKEN.fullmatch(segment) else segment for segment in path.split("/"))
    query = "&".join(_parameter(parameter) for parameter in query.split("&"))
    return "".join((scheme, authority, has_path, path, has_query, query, has_fragment and f"#{HIDDEN}"))


def _parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if not equals:
        return HIDDEN if _TOKEN.fullmatch(name) else name
    return f"{name}={HIDDEN}" if is_secret(name, value) else parameter


def is_secret(name: str, value: str) -> bool:
    """Whether a URL's parameter, a header or a cookie is hidden, by its name or since it looks like a token."""
    return _SECRET_PARAMETER.search(name) is not None or _TOKEN.fullmatch(value) is not None


def plain(text: str) -> str:
    """The text with what UTF-8 can't hold (lone surrogates of the command line) replaced by ``?``."""
    return text.encode("utf-8", "replace").decode()
