"""The files that ``wsload new`` writes. Pure but for `write`.

The locustfiles are the examples that are tested against the real services: there is one copy of them, in the
repository's ``locustfiles``, which the wheel holds as ``wsload/locustfiles``.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from wsload.errors import UsageError, unwritten

DEFAULT: Final = "chat"
LOAD: Final = "locust -f locustfile.py --headless -u 20 -r 10 -t 30s --ws-checks checks.txt"
"""How every scaffold is run, but for ``--host``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the checks of an example ask for."""

    name: str
    """The request that its service is judged by."""
    percentile: str = "p95"
    """Lower where the example has requests that are refused on purpose: those rank above every answer."""
    failures: str = "1%"
    """The share of failures; higher where the example has requests that are refused on purpose."""


EXPECTED: Final[Mapping[str, Expected]] = {
    "chat": Expected(name="message"),
    "echo": Expected(name="message"),
    "graphql": Expected(name="book", failures="40%"),
    "jsonrpc": Expected(name="getBook", failures="10%"),
    "mqtt": Expected(name="PUBLISH"),
    "room-chat": Expected(name="message"),
    "socketio": Expected(name="order", percentile="p50", failures="20%"),
    "stomp": Expected(name="SEND"),
    "token-chat": Expected(name="say"),
}
"""By protocol, as ``--protocol`` takes it."""

_HINTS: Final = (
    ("    url = ", "`url` is the path to open; --host names the server."),
    ("    subprotocols = ", "`subprotocols` are offered in this order; the server has to choose one."),
    (
        "constant_rate(",
        "`wait_time`: constant_rate(5) makes an open workload, 5 tasks a second per user, however slow the "
        "server is; Locust's between(1, 3) makes a closed one, in which each user waits after each answer.",
    ),
    ("    async def on_opening", "`on_opening` is called before each opening: log in here."),
    ("    session = ", "`session` says what the chat's messages look like."),
    ("    async def on_connect", "`on_connect` is called after each opening: send here what begins a session."),
    ("    def key_of", "`key_of` says which request a message answers: what it returns is that request's `key`."),
    ("    def on_message", "`on_message` is given every message that answers no request."),
    ("check=", "`check` is given the answer and returns the kind of failure, or None."),
    ("    @task", "`@task` marks what each user does repeatedly; @task(3) runs three times as often as @task."),
)  # fmt: skip
"""What to change, where a line of the example has this text."""
_WIDTH: Final = 100
_SERVICE: Final = """\
Start your service here, and wait until it listens at {host}, such as
      # - run: |
      #     npm ci
      #     node server.js &
      #     curl --silent --output /dev/null --retry 30 --retry-delay 1 --retry-connrefused {http}/"""


def protocols() -> tuple[str, ...]:
    """Those that there is an example for."""
    return tuple(sorted(path.stem.replace("_", "-") for path in _examples().glob("*.py")))


def files(protocol: str, source: str = "") -> dict[str, str]:
    """The texts to write, by path; ``source`` is what `source_of` says of this wsload.

    Raises `UsageError` for a protocol without an example.
    """
    if protocol not in protocols():
        raise UsageError(f"--protocol {protocol!r}: there is an example for {', '.join(protocols())}")
    example = (_examples() / f"{protocol.replace('-', '_')}.py").read_text("utf-8")
    return {
        "locustfile.py": _locustfile(example),
        "checks.txt": _checks(EXPECTED[protocol]),
        ".github/workflows/load.yml": _workflow(
            host_of(example), "wsload[http]" if "self.http" in example else "wsload", source
        ),
    }


def source_of(version: str, direct_url: str | None) -> str | None:
    """What follows ``wsload`` in a requirement, so that CI installs the same; None where only this machine can.

    ``direct_url`` is the installed package's ``direct_url.json`` (PEP 610): there is one unless it came from an index.
    """
    if direct_url is None:
        return f"=={version}"
    found = json.loads(direct_url)
    if found["url"].startswith("file:"):
        return None
    if "vcs_info" in found:
        return f" @ {found['vcs_info']['vcs']}+{found['url']}@{found['vcs_info']['commit_id']}"
    return f" @ {found['url']}" if found["url"].startswith("https://") else None


def command(texts: Mapping[str, str]) -> str:
    """How to run what `files` returned."""
    return LOAD + _host_option(host_of(texts["locustfile.py"]))


def host_of(locustfile: str) -> str:
    """Where the example's docstring says that its service listens; empty where it starts one of its own."""
    found = re.search(r"--host ([\w:/.]*\w)", locustfile.split('"""')[1])
    return found[1] if found else ""


def write(directory: Path, texts: Mapping[str, str]) -> list[Path]:
    """Writes them all, or none.

    Raises `UsageError` where one is there already, or can't be written, and `NotWritten` when the disk is full.
    """
    paths = [directory / name for name in texts]
    if there := [str(path) for path in paths if path.exists() or path.is_symlink()]:
        verb = "exists" if len(there) == 1 else "exist"
        raise UsageError(f"{', '.join(there)} {verb}: nothing was written; name another directory")
    written: list[Path] = []
    for path, text in zip(paths, texts.values(), strict=True):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
        except OSError as error:
            for each in written:
                each.unlink(missing_ok=True)
            raise unwritten(error, f"{path}: can't be written ({error.strerror})") from None
    return paths


def _examples() -> Path:
    inside = Path(str(resources.files("wsload"))) / "locustfiles"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "locustfiles"


def _locustfile(example: str) -> str:
    text = re.sub(r"locustfiles/\w+\.py", "locustfile.py", example)
    end = text.index('"""', 3) + 3
    hints = [line for word, hint in _HINTS if word in text for line in _comment(hint)]
    return "\n".join((text[:end], "", "# What to change for a service of your own:", *hints, text[end + 1 :]))


def _comment(hint: str) -> Iterator[str]:
    yield from textwrap.wrap(hint, _WIDTH, initial_indent="# - ", subsequent_indent="#   ")


def _checks(expected: Expected) -> str:
    return f"""\
# The checks that a run must pass, one per line. To apply them to another run:
# wsload check latest --checks checks.txt

# {expected.percentile}: {expected.percentile[1:]} % of requests take no longer than this; lost and refused
# ones rank above every answer.
{expected.name}.{expected.percentile} < 500ms
# Requests without an answer; connections that could not be opened.
lost < 1
open_failures < 1
# Whatever failed, as a share of everything tried.
failures.rate < {expected.failures}
"""


def _workflow(host: str, name: str, source: str) -> str:
    template = (resources.files("wsload.commands.new") / "load.yml").read_text("utf-8")
    service = (
        _SERVICE.format(host=host, http=host.replace("ws", "http", 1))
        if host
        else "Without --host, wsload's own chat server is loaded. To load yours, start it here and add --host below."
    )
    text = template.replace("SERVICE", service).replace("COMMAND", LOAD + _host_option(host))
    return text.replace("REQUIREMENT", json.dumps(name + source))


def _host_option(host: str) -> str:
    return f" --host {host}" if host else ""
