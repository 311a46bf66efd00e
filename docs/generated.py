"""What the documentation takes from the program itself, so that it can't differ: a Sphinx extension.

A page asks for it by a directive: ``wsload-options`` (the table of locust's options), ``wsload-help COMMAND``,
``exit-codes``, ``metrics``, ``counters``, ``from-docstring MODULE``, ``from-file DOCUMENT``. Each gives Markdown.

It also keeps a number on one line with its unit, and an option of a command with its hyphens.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
import textwrap
from argparse import BooleanOptionalAction
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from docutils import nodes
from pygments.lexers.shell import BashSessionLexer
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

GROUPS: Final = {
    "What to open": ("url", "subprotocol", "header", "cookie", "basic", "bearer", "origin", "allow-mixed-content"),
    "The load": ("rate", "profile", "profile", "max-in-flight", "warm-up"),
    "Waiting and pinging": ("message-timeout", "open-timeout", "drain", "ping", "ping-timeout", "reconnect"),
    "The way there": ("proxy", "connect-to", "source-ip", "compression", "max-message"),
    "TLS": ("ca-file", "client-cert", "insecure"),
    "Judging": ("check", "checks", "abort-on", "abort-on", "tolerance", "allow-invalid", "probe"),
    "What is written": ("build", "results", "prometheus", "json-progress"),
}  # fmt: skip
"""The options by what they are for; what is in none of these is listed last."""


_OPTION: Final = re.compile(r"(?<![^\s'\"\[])(--?\w[\w-]*)")
_BEFORE_UNIT: Final = re.compile(r"(?<=\d) (?=(?:%|[nµm]?s|min|[kM]i?B|KiB)(?!\w))")


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [[*heads], ["---"] * len([*heads]), *([*row] for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def options(_: str) -> str:
    """Every option that wsload adds to the locust command, from the table that Locust gets."""
    from wsload.load.options.table import OPTIONS

    left = dict(OPTIONS)
    parts = []
    for title, names in (*GROUPS.items(), ("More", tuple(name.removeprefix("--ws-") for name in left))):
        rows = [_option(f"--ws-{name}", left.pop(f"--ws-{name}")) for name in names if f"--ws-{name}" in left]
        if rows:
            parts.append(f"## {title}\n\n{table(('option', 'meaning'), rows)}")
    return "\n\n".join(parts)


def _option(name: str, settings: dict[str, Any]) -> tuple[str, str]:
    metavar = settings.get("metavar", "")
    meaning = re.sub(r"(?<![\w-])(--[\w-]+)", r"`\1`", settings["help"].replace("<", "\\<"))
    if settings.get("action") is BooleanOptionalAction:
        return f"`{name}`, `{name.replace('--', '--no-', 1)}`", meaning
    return f"`{name} {metavar}`" if metavar else f"`{name}`", meaning


def help_of(command: str) -> str:
    """What ``wsload COMMAND --help`` prints on 80 columns."""
    run = subprocess.run(
        [sys.executable, "-m", "wsload", *command.split(), "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "80", "TERMINAL_WIDTH": "80", "NO_COLOR": "1"},
    )
    return f"```text\n{run.stdout.strip()}\n```"


def exit_codes(_: str) -> str:
    """The table in the module that defines them."""
    from wsload import exit_codes

    lines = (exit_codes.__doc__ or "").splitlines()
    return "\n".join(line for line in lines if line.startswith("|"))


def metrics(_: str) -> str:
    """Every registered metric and what it measures."""
    from wsload.measure.names import labels

    _register()
    return table(("metric", "meaning"), ((f"`{name}`", text) for name, text in labels().metrics.items()))


def counters(_: str) -> str:
    """Every registered counter, as it is stored and as tables call it."""
    from wsload.measure.names import labels

    _register()
    return table(("counter", "in tables"), ((f"`{name}`", text) for name, text in labels().counters.items()))


def _register() -> None:
    importlib.import_module("wsload.protocols.chat.names").use()


def docstring(module: str) -> str:
    """A module's docstring, which is reStructuredText."""
    text = textwrap.indent(inspect.getdoc(importlib.import_module(module)) or "", "   ")
    return f"```{{eval-rst}}\n.. admonition:: {module}\n\n{text}\n```"


def document(name: str) -> str:
    """A document at the top of the repository without its title; links to others there become plain names."""
    text = (Path(__file__).parents[1] / name).read_text("utf-8").partition("\n")[2]
    return re.sub(r"\[([^]]+)\]\((?!https?:)[^)]*\)", r"`\1`", text)


MAKERS: Final[dict[str, Callable[[str], str]]] = {
    "wsload-options": options,
    "wsload-help": help_of,
    "exit-codes": exit_codes,
    "metrics": metrics,
    "counters": counters,
    "from-docstring": docstring,
    "from-file": document,
}


class Generated(SphinxDirective):
    """Puts the Markdown of one of the `MAKERS` into the page."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """The nodes of what was made."""
        there = {id(section) for section in self.state.document.findall(nodes.section)}
        before = self.parse_text_to_nodes(
            MAKERS[self.name]("".join(self.arguments)), allow_section_headings=True
        )
        # MyST has put the sections into the page already, but not what stands before the first of them.
        sections = [
            section
            for section in self.state.document.findall(nodes.section)
            if id(section) not in there and id(section.parent) in there
        ]
        for section in sections:
            section.parent.remove(section)
        return [*before, *sections]


class Console(BashSessionLexer):
    """Makes each option a token of its own, which the style sheet does not break after its hyphens."""

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, Any, str]]:
        """The session's tokens, those with options split."""
        for at, kind, value in super().get_tokens_unprocessed(text):
            for turn, part in enumerate(_OPTION.split(value)):
                if part:
                    yield at, kind.Option if turn % 2 else kind, part
                at += len(part)


def keep_units(_: Sphinx, document: nodes.document, __: str) -> None:
    """Puts a no-break space between a number and its unit."""
    for text in document.findall(nodes.Text):
        if not isinstance(text.parent, nodes.literal | nodes.literal_block):
            text.parent.replace(text, nodes.Text(_BEFORE_UNIT.sub("\u00a0", text)))


def setup(app: Sphinx) -> dict[str, Any]:
    """Registers the directives."""
    for name in MAKERS:
        app.add_directive(name, Generated)
    app.add_lexer("console", Console)
    app.connect("doctree-resolved", keep_units)
    return {"parallel_read_safe": True}
