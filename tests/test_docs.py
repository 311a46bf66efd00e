"""The documents are true: what they name exists, links lead somewhere, pictures are what their script draws."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.documents import DOCS, PAGES
from support.locust_run import ROOT

DOCUMENTS = ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")
LEAST = {"ARCHITECTURE.md": 25, "CONTRIBUTING.md": 6, "SECURITY.md": 60}
"""A document that names hardly anything would pass without being checked."""


def named(document: str) -> Iterator[str]:
    """The paths in a document: in code, and as the targets of links."""
    text = (ROOT / document).read_text("utf-8")
    for code in re.findall(r"`([^`\n]+)`", text):
        yield from (
            word for word in code.split() if re.fullmatch(r"[\w.-]+(/[\w.-]+)*(/|\.(py|md|toml))", word)
        )
    yield from (target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_exists(document: str) -> None:
    found = set(named(document)) - {"names.py", "compat.py", "__init__.py"}  # these are in many folders
    assert len(found) >= LEAST[document]
    assert [path for path in sorted(found) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_module_exists(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    modules = set(re.findall(r"\b(?:wsload|benchmarks)(?:\.\w+)+", text))
    assert [module for module in sorted(modules) if importlib.util.find_spec(module) is None] == []


def test_every_folder_of_the_package_is_explained() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    folders = {path.parent.name for path in (ROOT / "wsload").glob("*/__init__.py")}
    assert {folder for folder in folders if f"| `wsload/{folder}/` |" not in text} == set()


def test_every_target_of_the_makefile_exists() -> None:
    targets = set(re.findall(r"`make (\w+)`", (ROOT / "CONTRIBUTING.md").read_text("utf-8")))
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert targets
    assert {target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


def heading_anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MyST make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_internal_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        found = page.parent / path if path else page
        assert found.exists(), target
        assert not anchor or anchor in heading_anchors(found), target


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = set(re.findall(r"^[\w/-]+$", (DOCS / "index.md").read_text("utf-8"), re.MULTILINE))
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md")}
    assert pages - {"index"} == listed


def test_the_picture_is_what_its_script_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS))
    pictures = importlib.import_module("pictures")
    assert pictures.PICTURE.read_text("utf-8") == pictures.picture()


def test_every_row_of_the_security_page_names_its_tests() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "| tests |" not in line]
    assert len(rows) > 25
    assert [row for row in rows if "`tests/" not in row.rpartition(" | ")[2]] == []
