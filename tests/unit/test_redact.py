from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.redact import redact_url, redacted

secrets = st.text("abcdefghijkmnpqrtuvwxyzABC0123456789-_", min_size=6, max_size=40).map(
    lambda text: f"S3cr3t{text}"
)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://127.0.0.1:8000/chat", "ws://127.0.0.1:8000/chat"),
        ("wss://[::1]:8000/", "wss://[::1]:8000/"),
        ("wss://[::1]/@room", "wss://[::1]/@room"),
        ("localhost:8000", "localhost:8000"),
        ("", ""),
        ("ws://anna:pw@host:80/room", "ws://***@host:80/room"),
        ("ws://anna:p@w@host/", "ws://***@host/"),
        ("ws://anna:p/w@host/room", "ws://***@host/room"),
        ("anna:pw@host:80", "***@host:80"),
        ("ws://host/@room?name=anna", "ws://host/@room?name=anna"),
        ("ws://host:80/@room", "ws://host:80/@room"),
        ("ws://host/?access_token=x&v=2&flag", "ws://host/?access_token=***&v=2&flag"),
        ("ws://host/?v=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "ws://host/?v=***"),
        ("ws://host/hooks/T0123456789abcdefghijklmn/in", "ws://host/hooks/***/in"),
        ("ws://host/#access_token=x", "ws://host/#***"),
        ("wss://chat.example/room", "wss://chat.example/room"),
        ("wss://chat.example/room?token=secret", "wss://chat.example/room?token=***"),
        ("ada:secret@chat.example", "***@chat.example"),
        ("wss://ada:sec//ret@chat.example/room", "wss://***@chat.example/room"),
        ("wss://chat.example/#ada:secret@x?secret", "wss://chat.example/#***"),
        ("wss://chat.example:8443/room?mail=ada@x", "wss://chat.example:8443/room?mail=ada@x"),
        ("wss://ada:sec?ret@chat.example", "wss://***@chat.example"),
        ("wss://ada:sec#ret@[::1]:80/x", "wss://***@[::1]:80/x"),
        ("wss://ada:s@e@chat.example", "wss://***@chat.example"),
        ("//ada:secret@chat.example/", "//***@chat.example/"),
        ("ws://host:port:more/", "ws://host:port:more/"),
        ("ws://caf\udce9/", "ws://caf?/"),
    ],
)
def test_urls_are_shown_without_their_secrets(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@given(secrets)
def test_no_secret_of_a_url_is_ever_shown(secret: str) -> None:
    for url in (
        f"ws://{secret}@host/",
        f"ws://u:{secret}@host/room",
        f"u:{secret}@host",
        f"https://u:{secret}/x@host/",
        f"ws://u:p/{secret}@host/?a=b@c",
        f"wss://u:x?{secret}@host/",
        f"wss://u:x#{secret}@host/",
        f"wss://u:@{secret}@host/",
        f"//u:{secret}@host/",
        f"ws://host/?token={secret}",
        f"ws://host/?a=b&apiKey={secret}#x",
        f"ws://host/#{secret}",
    ):
        assert secret not in redact_url(url)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["json", "v2.chat.example"], ["json", "v2.chat.example"]),
        (["json.reliable.webpubsub.azure.v1"], ["json.reliable.webpubsub.azure.v1"]),
        (["eyJhbGciOiJIUzI1.eyJzdWIiOjF9"], ["***"]),
        (["v4", "base64url.bearer.authorization.k8s.io.dG9rZW4"], ["v4", "***"]),
        (["access_token", "a1b2c3d4e5f6a1b2c3d4e5f6a1b2"], ["***", "***"]),
        (["app.eyJhbGciOiJIUzI1NiJ9x0123456789"], ["***"]),
    ],
)
def test_a_token_among_the_subprotocols_is_not_stored(names: list[str], shown: list[str]) -> None:
    assert redacted({"ws_subprotocol": names}) == {"ws_subprotocol": shown}


def test_every_option_that_is_a_url_is_stored_without_its_password() -> None:
    for name in ("host", "ws_beside", "ws_proxy", "ws_url", "ws_origin", "ws_connect_to"):
        assert "hunter2" not in str(redacted({name: "ada:hunter2@10.0.0.7:8000"}))


def test_only_what_shapes_the_load_is_stored() -> None:
    options = {
        "ws_rate": 100.0,
        "ws_subprotocol": ["json"],
        "ws_drain": 2,
        "ws_insecure": False,
        "ws_ca_file": "ca.pem",
        "num_users": 50,
        "tags": None,
        "web_login": True,
        "web_auth": "admin:pw",
        "logfile": "/home/anna/x.log",
    }
    assert redacted(options) == {
        "num_users": 50,
        "tags": None,
        "ws_ca_file": "ca.pem",
        "ws_drain": 2,
        "ws_insecure": False,
        "ws_rate": 100.0,
        "ws_subprotocol": ["json"],
    }


def test_of_headers_and_cookies_the_names_are_kept() -> None:
    assert redacted({"ws_header": ["Authorization: Bearer x", "broken"], "ws_cookie": ["sid=1", ""]}) == {
        "ws_cookie": ["sid=***", ""],
        "ws_header": ["Authorization:***", "***"],
    }


@given(secrets)
def test_no_secret_option_is_ever_stored(secret: str) -> None:
    options: dict[str, object] = {
        "ws_header": [f"Authorization: Bearer {secret}", secret],
        "ws_cookie": (f"sid={secret}",),
        "ws_basic": f"anna:{secret}",
        "ws_bearer": secret,
        "ws_client_cert": f"cert.pem:{secret}",
        "ws_proxy": f"socks5://u:{secret}@proxy:1080",
        "ws_some_token": [secret],
        "ws_url": f"ws://u:{secret}@host/",
        "host": f"u:{secret}@host",
        "web_login": secret,
        "LOCUST_TOKEN": secret,
    }
    assert secret not in json.dumps(redacted(options))


def test_odd_values_become_plain_json() -> None:
    found = redacted({"ws_a": {3}, "ws_b": 2**70, "ws_c": object, "ws_d": "x\udcff"})
    assert found == {"ws_a": [3], "ws_b": str(2**70), "ws_c": "<class 'object'>", "ws_d": "x?"}
