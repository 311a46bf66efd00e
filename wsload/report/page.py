"""HTML pages that need nothing but themselves: templates, styles and scripts of this package in one file.

The page's own security policy allows exactly the styles and scripts that were put in, by their
hashes, and no network at all: what slipped through the escaping could still not run.
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

STYLES: Final = ("uPlot.min.css", "page.css")
SCRIPTS: Final = ("uPlot.iife.min.js", "charts.js")
"""What every page has; its own scripts come after these."""

SELF: Final = "'self'"
NOWHERE: Final = "'none'"


def page(template: str, *, scripts: Sequence[str] = (), connect: bool = False, **values: object) -> bytes:
    """The page of a template in ``assets/``, in UTF-8; ``scripts`` are further files from there.
    ``connect`` lets its scripts ask the server the page came from.

    Values are escaped wherever the template puts them; in ``<script type="application/json">`` the
    template's ``tojson`` does it.
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
        trim_blocks=True,
        lstrip_blocks=True,
    )
    policies: dict[str, Any] = environment.policies
    policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment


@cache
def _asset(name: str) -> Markup:
    return Markup(files("wsload.report").joinpath("assets", name).read_text("utf-8"))  # noqa: S704


def _hashes(texts: Sequence[str]) -> str:
    """The sources of a Content-Security-Policy that allow these inline texts (CSP level 3, 2.3.1)."""
    return " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts
    )
