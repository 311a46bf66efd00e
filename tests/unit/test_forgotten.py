"""Whose forgotten awaits are counted: those of what user classes call, in the core and in any protocol."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from wsload.load.users import forgotten
from wsload.load.users.forgotten import Forgotten


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
    monkeypatch.setattr(forgotten, "notice_forgotten", lambda _: None)
    calls: list[Any] = []
    context: Any = SimpleNamespace(
        engine=SimpleNamespace(recorder=SimpleNamespace(failed=lambda *_, **__: None), call=calls.append),
        bridge=SimpleNamespace(to_hub=lambda *_: None),
    )
    coroutine: Any = SimpleNamespace(
        cr_frame=SimpleNamespace(f_globals={"__name__": module}), __qualname__="User.call"
    )
    assert Forgotten(context).note(coroutine, "here") is counted
    assert bool(calls) is counted
