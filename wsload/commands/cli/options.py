"""``wsload options``: the options that wsload adds to Locust, which its ``--help`` can't show; and their check."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from wsload.errors import UsageError
from wsload.load.options.table import OPTIONS, add_options
from wsload.words import listed


def options() -> None:
    """List the --ws-… options that a locustfile with wsload's user classes adds to the locust command.

    Each of them can also be set by a LOCUST_WS_… variable, in locust.conf, or in pyproject.toml's
    [tool.locust]. Locust prints its own --help before it reads the locustfile, so it can't list them.
    """
    parser = _Parser(usage=argparse.SUPPRESS, add_help=False)
    add_options(parser)
    print(parser.format_help().partition("options:\n")[2].rstrip("\n"))


def check_options(words: Sequence[str]) -> None:
    """Raises `UsageError` for what every Locust run with these words would refuse.

    That saves building and starting servers first. Options of Locust's own are left to Locust, which also takes
    abbreviations; those of wsload's options are refused, since what may be stored is decided by their names.
    """
    from wsload.load.options.settings import Settings

    known = [name for name, _ in OPTIONS]
    for word in words:
        name = word.partition("=")[0]
        full = [each for each in known if each.startswith(name)] if name.startswith("--ws-") else []
        if full and name not in known:
            raise UsageError(f"{name} after --: is an abbreviation: write {listed(full, 'or')}")
    parser = _Parser(add_help=False, allow_abbrev=False)
    add_options(parser)
    Settings.of(parser.parse_known_args(list(words))[0])


class _Parser(argparse.ArgumentParser):
    """Ignores the settings that only Locust's parser knows, and raises `UsageError`."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
        for known_to_locust in ("env_var", "include_in_web_ui", "is_secret"):
            settings.pop(known_to_locust, None)
        return super().add_argument(*names, **settings)
