"""The URLs that a run's users would open."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Collection
from typing import Any

from locust.runners import WorkerRunner

from wsload.load.options.settings import Settings
from wsload.load.users.websocket import WebSocketUser


def settings_of(environment: Any, *, host_known: bool) -> Settings:
    """The options, checked; if the host is known, so are the URLs of the user classes. Raises `UsageError`."""
    judges = not isinstance(environment.runner, WorkerRunner)
    settings = Settings.of(environment.parsed_options or Namespace(), judges=judges)
    targets_of(environment, settings, host_known=host_known)
    return settings


def targets_of(
    environment: Any,
    settings: Settings,
    *,
    host_known: bool = True,
    form_host: str = "",
    user_classes: Collection[Any] | None = None,
) -> list[str]:
    """The URLs that the user classes would open, as far as hosts are known; by default those that the run has.

    Raises `UsageError`.
    """
    hosts = {
        each: form_host or environment.host or each.host
        for each in (_loaded(environment) if user_classes is None else user_classes)
    }
    return [
        settings.target(user_class.url, host)
        for user_class, host in hosts.items()
        if issubclass(user_class, WebSocketUser)
        and (host or host_known or "://" in (settings.url or user_class.url))
    ]


def _loaded(environment: Any) -> list[Any]:
    """The user classes of the run; its master tells a worker which were chosen in the web UI."""
    chosen = getattr(environment.parsed_options, "ws_user_classes", None)
    if chosen is None or not isinstance(environment.runner, WorkerRunner):
        return list(environment.user_classes)
    return [each for each in environment.user_classes if each.__name__ in chosen]
