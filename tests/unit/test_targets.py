"""Which URLs are checked before a run: those of the user classes that it has."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest
from locust.runners import LocalRunner, WorkerRunner

from wsload import UsageError, WebSocketUser
from wsload.load.options.settings import Settings
from wsload.load.targets import targets_of


class A(WebSocketUser):
    abstract = True
    url = "/"
    host = "ws://a.example"


class B(WebSocketUser):
    abstract = True
    url = "/"


def environment(runner: type, *user_classes: Any, **options: Any) -> Any:
    made = Namespace(host=None, user_classes=list(user_classes), parsed_options=Namespace(**options))
    bare = type("Bare", (runner,), {"__init__": lambda _: None, "__del__": lambda _: None})
    made.runner = bare()
    return made


def test_classes_posted_with_the_form_count_not_those_of_the_last_run() -> None:
    settings = Settings.of(Namespace())
    assert targets_of(environment(LocalRunner, B), settings, user_classes=[A]) == ["ws://a.example/"]
    with pytest.raises(UsageError, match="names no host"):
        targets_of(environment(LocalRunner, A), settings, user_classes=[B])


def test_a_worker_checks_what_its_master_loads() -> None:
    settings = Settings.of(Namespace())
    assert targets_of(environment(WorkerRunner, A, B, ws_user_classes=["A"]), settings) == ["ws://a.example/"]
    for runner, chosen in ((WorkerRunner, ["A", "B"]), (LocalRunner, ["A"])):
        with pytest.raises(UsageError, match="names no host"):
            targets_of(environment(runner, A, B, ws_user_classes=chosen), settings)
