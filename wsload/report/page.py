"""Self-contained HTML pages: templates, styles and scripts of this package in one file.

The page's own security policy allows exactly the included styles and scripts, by their hashes, and no network access:
even a script that slipped through the escaping could not run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from wsload.words import BEFORE_UNIT

STYLES: Final = ("uPlot.min.css", "page.css")
SCRIPTS: Final = ("uPlot.iife.min.js", "charts.js")
"""Included in every page, before its own scripts."""

SELF: Final = "'self'"
NOWHERE: Final = "'none'"


def page(template: str, *, scripts: Sequence[str] = (), connect: bool = False, **values: object) -> bytes:
    """Renders a template of ``assets/`` to UTF-8; ``scripts`` are further files from there.

    ``connect`` allows the page's scripts to make requests to its server. Values are escaped wherever the template
    puts them; in ``<script type="application/json">`` by its ``tojson`` filter.
    """
    styles = [_asset(name) for name in STYLES]
    code = [_asset(name) for name in (*SCRIPTS, *scripts)]
    policy = (
        f"default-src 'none'; style-src {_hashes(styles)}; script-src {_hashes(code)}; "
        f"connect-src {SELF if connect else NOWHERE}; img-src data:; base-uri 'none'; form-action 'none'"
    )
    text = _environment().get_template(template).render(policy=policy, styles=styles, scripts=code, **values)
    return text.encode("utf-8", "replace")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("wsload.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_with_units,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    policies: dict[str, Any] = environment.policies
    policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment


def _with_units(value: object) -> object:
    """Keeps a figure and its unit in one line; markup has been through here before, or is no text."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", value)
    return value


@cache
def _asset(name: str) -> Markup:
    return Markup(files("wsload.report").joinpath("assets", name).read_text("utf-8"))  # noqa: S704


def _hashes(texts: Sequence[str]) -> str:
    """Sources for a Content-Security-Policy that allow these inline texts (CSP level 3, section 2.3.1)."""
    return " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts
    )
