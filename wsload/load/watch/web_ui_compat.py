"""What wsload uses of Locust's web UI without its documentation promising it: paths, fields, states, the page's data.

Each item has a canary in tests/unit/test_compat_web_ui.py, which names the version when a release changes it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from locust import User, argument_parser
from locust.runners import STATE_CLEANUP, STATE_RUNNING, STATE_STOPPING
from locust.web import WebUI

START_PAGE: Final = "/"
FIGURES: Final = "/stats/requests"
"""What the page polls."""
SWARM: Final = "/swarm"
"""Where the start form is posted."""
USER: Final = "/user"
"""Where settings of user classes are posted."""

OWN_FIELDS: Final = frozenset(
    ("user_count", "spawn_rate", "host", "run_time", "user_classes", "shape_class", "profile")
)
"""The fields of Locust's form besides its extra options."""

STATE: Final = "state"
"""The key of the state in `FIGURES`, and in the start page."""
RUNNING: Final = STATE_RUNNING
ENDING: Final = (STATE_CLEANUP, STATE_STOPPING)
"""States of a run that is ending, in which the page stops polling."""


def fields_in_the_form() -> frozenset[str]:
    """The fields that the start form may have: Locust's own, and one for each option that it shows."""
    return OWN_FIELDS | argument_parser.ui_extra_args_dict().keys()


def chosen_classes(web_ui: WebUI, names: Collection[str]) -> list[type[User]]:
    """The user classes that a run has for which these were chosen in the start form; without the picker, all."""
    environment = web_ui.environment
    available: dict[str, Any] = environment.available_user_classes or {}
    if not web_ui.userclass_picker_is_active:
        return list(environment.user_classes)
    if names:
        return [each for name, each in available.items() if name in names and each.weight]
    if environment.runner is not None and environment.runner.state == STATE_RUNNING:
        return list(environment.user_classes)
    return [each for each in available.values() if each.weight]


def add_element_tab(web_ui: WebUI, title: str, key: str, element: str) -> None:
    """Adds a tab that shows an HTML element.

    Locust's page renders a tab's ``component`` with React, which takes a string as the name of an element. Locust's
    documentation mentions only tables.
    """
    _extend(web_ui, "extended_tabs", [{"title": title, "key": key, "component": element}])


def add_downloads(web_ui: WebUI, titles: Mapping[str, str]) -> None:
    """Adds links to the page's downloads, by address."""
    links = [{"href": href, "title": title} for href, title in titles.items()]
    _extend(web_ui, "extended_csv_files", links)


def _extend(web_ui: WebUI, name: str, items: list[dict[str, str]]) -> None:
    # Another plugin may have added its own, perhaps as None or a tuple.
    web_ui.template_args[name] = [*(web_ui.template_args.get(name) or ()), *items]


def is_serving(web_ui: WebUI) -> bool:
    """Whether the web UI was started."""
    return web_ui.greenlet is not None


def address_of(web_ui: WebUI) -> tuple[str, int]:
    """The host and port on which the web UI listens, or will."""
    return web_ui.host, web_ui.port
