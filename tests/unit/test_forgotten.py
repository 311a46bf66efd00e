"""Whose forgotten awaits are counted: those of what user classes call, in the core and in any protocol."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from wsload.load.users import forgotten
from wsload.load.users.forgotten import Forgotten


def made(monkeypatch: pytest.MonkeyPatch, call: Any) -> tuple[Forgotten, Any]:
    """What counts, and its process's context; ``call`` is the engine's."""
    monkeypatch.setattr(forgotten, "notice_forgotten", lambda _: None)
    context: Any = SimpleNamespace(
        engine=SimpleNamespace(recorder=SimpleNamespace(failed=lambda *_, **__: None), call=call),
        bridge=SimpleNamespace(to_hub=lambda *_: None),
    )
    return Forgotten(context), context


@pytest.mark.parametrize(
    ("module", "counted"),
    [
        ("locustfile", True),
        ("wsload.load.users.websocket", True),
        ("wsload.protocols.chat.user", True),
        ("wsload.protocols.another.user", True),
        ("wsload.protocols.another.socket", False),
        ("wsload.load.ws.connection", False),
        ("wsload.load.users.life", False),
    ],
)
def test_whose_are_counted(monkeypatch: pytest.MonkeyPatch, module: str, counted: bool) -> None:
    calls: list[Any] = []
    coroutine: Any = SimpleNamespace(
        cr_frame=SimpleNamespace(f_globals={"__name__": module}), __qualname__="User.call"
    )
    counts, _ = made(monkeypatch, calls.append)
    assert counts.note(coroutine, "here") is counted
    assert bool(calls) is counted


def test_calls_that_are_no_coroutines_are_told_through_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    _, context = made(monkeypatch, calls.append)
    context.on_forgotten("User.open", "here")
    assert len(calls) == 1


def test_after_the_end_of_the_loop_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_: Any) -> None:
        raise RuntimeError("Event loop is closed")

    counts, _ = made(monkeypatch, closed)
    counts.count("User.open", "here")
