"""``wsload options``: the options that wsload adds to Locust, which Locust's own ``--help`` can't show."""

from __future__ import annotations

import argparse
from typing import Any

from wsload.load.options.table import add_options


def options() -> None:
    """List the --ws-… options that a locustfile of wsload's user classes adds to the locust command.

    Each can be given as LOCUST_WS_… too, in locust.conf, or in pyproject.toml's [tool.locust].
    Locust's own --help is made before it reads the locustfile, so it can't list them.
    """
    parser = _Parser(usage=argparse.SUPPRESS, add_help=False)
    add_options(parser)
    print(parser.format_help().partition("options:\n")[2].rstrip("\n"))


class _Parser(argparse.ArgumentParser):
    """argparse's, not minding what only Locust's knows."""

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
        for known_to_locust in ("env_var", "include_in_web_ui", "is_secret"):
            settings.pop(known_to_locust, None)
        return super().add_argument(*names, **settings)
