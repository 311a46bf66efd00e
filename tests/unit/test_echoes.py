"""What a server quotes of a request is shown without the request's secrets, however it writes them."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.echoes import (
    secrets_of_body,
    secrets_of_headers,
    secrets_of_subprotocols,
    secrets_of_url,
    without_secrets,
)

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9"
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), min_size=5, max_size=30).map(
    lambda text: f"S3cr3t{text}"
)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Route GET:/chta?token=hunter2 not found", "Route GET:/chta?token=*** not found"),
        ("invalid token: hunter2", "invalid token: ***"),
        ("b'GET /?token=hunt'", "b'GET /?token=***'"),  # cut off
        ("no such room: hun", "no such room: hun"),  # too short to be told from any other word
        ("no room 7", "no room 7"),
        ("no hunter2/hunter2", "no ***/***"),
    ],
)
def test_a_quoted_secret_is_hidden(said: str, shown: str) -> None:
    assert without_secrets(said, secrets_of_url("ws://127.0.0.1/chta?token=hunter2&room=7")) == shown


WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a path": quote,
    "in a query": lambda text: quote(text, safe=""),
    "in HTML": html.escape,
    "in JSON": json.dumps,
}


@given(texts, st.sampled_from(sorted(WAYS)), st.integers(0, 40))
def test_it_is_hidden_in_every_way_to_write_it_and_where_it_is_cut_off(
    secret: str, way: str, length: int
) -> None:
    write = WAYS[way]
    said = f"I got {write(secret)}"
    for text in (said, f"{said} from you", said[: len("I got ") + length]):
        shown = without_secrets(text, [secret])
        assert secret not in shown and write(secret).strip('"') not in shown
        assert secret[:6] not in shown or len(text) < len("I got S3cr")


def test_the_secrets_of_a_request() -> None:
    assert set(secrets_of_url(f"wss://ada:pa%40ss@host/{TOKEN}/room?key=a1b2&room=7")) == {
        *("ada", "pa@ss", TOKEN, "a1b2")
    }
    assert list(secrets_of_url("ws://[::1/?token=hunter2")) == [], "what is no URL is never sent"
    assert list(secrets_of_url(f"ws://host/?{TOKEN}&{TOKEN}=&flag")) == [TOKEN]
    assert without_secrets("bad abcd/efghabcd", ["abcd/efghabcd"]) == "bad ***"
    login = base64.b64encode(b"ada:hunter2").decode()
    headers = [
        ("Authorization", f"Basic {login}"), ("authorization", f"Bearer {TOKEN}"), ("Proxy-Authorization", TOKEN),
        ("Cookie", "theme=dark; sid=abcd"), ("X-Api-Key", "k3y!"), ("Accept", "text/html"),
        ("Authorization", "Basic ???"),
    ]  # fmt: skip
    assert set(secrets_of_headers(headers)) - {""} == {login, "hunter2", TOKEN, "dark", "abcd", "k3y!", "???"}
    assert list(secrets_of_subprotocols(["v2.json", f"bearer.{TOKEN}", TOKEN, "access_token"])) == [
        *(f"bearer.{TOKEN}", TOKEN, "access_token")
    ]
    body = {"user": "ada", "password": "hunter2", "more": [{"tokens": ["t0ken"]}, TOKEN, 7, None]}
    assert list(secrets_of_body(body)) == ["hunter2", "t0ken", TOKEN]
    deep: object = TOKEN
    for _ in range(9):
        deep = [deep]
    assert list(secrets_of_body(deep)) == []


def test_a_form_encoded_blank_is_one_too() -> None:
    url = f"ws://host/?token={quote_plus('a secret')}"
    for said in ("a+secret", "a secret", "a%20secret"):
        assert without_secrets(f"no {said}", secrets_of_url(url)) == "no ***"
