"""``wsload options``: the options that wsload adds to Locust, which its ``--help`` can't show."""

from __future__ import annotations

import argparse
from typing import Any

from wsload.load.options.table import add_options


def options() -> None:
    """List the --ws-… options that a locustfile with wsload's user classes adds to the locust command.

    Each of them can also be set by a LOCUST_WS_… variable, in locust.conf, or in pyproject.toml's
    [tool.locust]. Locust prints its own --help before it reads the locustfile, so it can't list them.
    """
    parser = _Parser(usage=argparse.SUPPRESS, add_help=False)
    add_options(parser)
    print(parser.format_help().partition("options:\n")[2].rstrip("\n"))


class _Parser(argparse.ArgumentParser):
    """Ignores the settings that only Locust's parser knows."""

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
        for known_to_locust in ("env_var", "include_in_web_ui", "is_secret"):
            settings.pop(known_to_locust, None)
        return super().add_argument(*names, **settings)
