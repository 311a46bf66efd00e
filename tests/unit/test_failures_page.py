"""The documentation's page of failures names every kind there is."""

from __future__ import annotations

import re
from pathlib import Path

from wsload.load.users import http
from wsload.load.ws import failures
from wsload.load.ws.rules import Rule

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "failures.md").read_text("utf-8")


def test_every_kind_is_explained() -> None:
    named = set(re.findall(r"`([^`]+)`", PAGE))
    kinds = {rule.value.kind for rule in Rule} | set(failures._ERRNO_KINDS.values())
    source = Path(failures.__file__).read_text("utf-8")
    kinds |= set(re.findall(r'(?:return |: \()"([a-zT][a-zTLS -]+)", ', source))
    assert len(kinds) > 30
    assert kinds - {"os error"} <= named


def test_every_kind_of_an_http_call_is_explained() -> None:
    named = set(re.findall(r"`([^`]+)`", PAGE[PAGE.index("## HTTP calls") :]))
    source = Path(http.__file__).read_text("utf-8")
    kinds = {http.TIMEOUT, http.UNANSWERED, http.CANCELLED}
    kinds |= set(re.findall(r'return "([a-z ]+)", ', source[source.index("def _kind_of") :]))
    assert len(kinds) == 7
    assert kinds <= named
