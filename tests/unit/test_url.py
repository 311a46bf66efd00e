"""Which URL is opened, by the browser's rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.uri import parse_uri

from wsload.errors import UsageError
from wsload.load.ws.url import (
    is_loopback,
    parse_address,
    refuse_mixed_content,
    resolve_url,
    unix_target,
)

PIECES = (
    *("ws", "wss", "http", "https", "ftp", ":", "//", "/", "#", "?", "@", "[", "]", "::1", "h", "localhost"),
    *(
        "8000",
        "65536",
        " ",
        "\t",
        "\n",
        "\\",
        "%",
        "..",
        "é",
        "\ud800",
        "\x00",
        ".",
        "&=",
        "ws://",
        "ws+unix:",
    ),
)
urls = st.lists(st.sampled_from(PIECES), max_size=9).map("".join) | st.text(max_size=20)


@pytest.mark.parametrize(
    ("url", "host", "opened"),
    [
        ("ws://chat.example", None, "ws://chat.example/"),
        ("wss://chat.example/room?x=1", None, "wss://chat.example/room?x=1"),
        ("http://chat.example/room", None, "ws://chat.example/room"),
        ("HTTPS://chat.example:8443", None, "wss://chat.example:8443/"),
        ("ws://[::1]:8765/", None, "ws://[::1]:8765/"),
        ("ws://ada:secret@chat.example/", None, "ws://ada:secret@chat.example/"),
        ("ws://one.example/", "ws://two.example/", "ws://one.example/"),
        ("/", "chat.example:8765", "ws://chat.example:8765/"),
        ("", "chat.example:8765/room", "ws://chat.example:8765/room"),
        ("", "wss://chat.example/a/b", "wss://chat.example/a/b"),
        ("/room", "https://chat.example/a/b", "wss://chat.example/room"),
        ("room", "wss://chat.example/a/b", "wss://chat.example/a/room"),
        ("../room", "wss://chat.example/a/b/c", "wss://chat.example/a/room"),
        ("?x=1", "wss://chat.example/a/b", "wss://chat.example/a/b?x=1"),
        ("?next=ws://x", "wss://chat.example/a", "wss://chat.example/a?next=ws://x"),
        ("//other.example/x", "wss://chat.example", "wss://other.example/x"),
        ("/", "[::1]:8765", "ws://[::1]:8765/"),
        ("ws+unix:///run/chat.sock:/room?x=1", None, "ws+unix:///run/chat.sock:/room?x=1"),
        ("WS+UNIX:/run/chat.sock", None, "ws+unix:///run/chat.sock:/"),
        ("ws+unix:///run/chat.sock:/room", "ws://chat.example", "ws+unix:///run/chat.sock:/room"),
        ("/room?y", "ws+unix:///run/chat.sock:/a/b", "ws+unix:///run/chat.sock:/room?y"),
        ("room", "ws+unix:///run/chat.sock:/a/b", "ws+unix:///run/chat.sock:/a/room"),
        ("", "ws+unix:///run/chat.sock", "ws+unix:///run/chat.sock:/"),
    ],
)
def test_resolved(url: str, host: str | None, opened: str) -> None:
    assert resolve_url(url, host) == opened


@pytest.mark.parametrize(
    ("url", "host", "why"),
    [
        ("ws://chat.example/#top", None, "has a fragment"),
        ("ws://chat.example#", None, "has a fragment"),
        ("/", "ws://chat.example/#top", "has a fragment"),
        ("ftp://chat.example/", None, "the scheme 'ftp'"),
        ("/", "ftp://chat.example", "the scheme 'ftp'"),
        ("file:///etc/passwd", None, "names no host"),
        ("/room", None, "names no host"),
        ("", "", "names no host"),
        ("ws:///room", None, "names no host"),
        ("ws://", None, "names no host"),
        ("mailto:ada@chat.example", "ws://chat.example", "names no host"),
        ("localhost:8765/chat", None, "names no host"),
        ("localhost:8765/chat", "ws://chat.example", "names no host"),
        ("ws://chat.example:0/", None, "port 0"),
        ("ws://chat.example:65536/", None, "can't be read"),
        ("ws://chat.example:http/", None, "can't be read"),
        ("ws://[::1/", None, "can't be read"),
        ("/", "ws://[::1/", "can't be read"),
        ("ws://chat.example/a room", None, "a space"),
        ("ws://chat.example/a\nroom", None, "a space"),
        ("ws://chat.example\\@evil.example/", None, "a backslash"),
        ("ws://ada@chat.example/", None, "without password"),
        ("ws+unix://run/chat.sock:/", None, "names no socket"),
        ("ws+unix:", None, "names no socket"),
        ("ws+unix:///run/a chat.sock", None, "a space"),
        ("ws+unix:///run/chat%00.sock", None, "107 bytes"),
        (f"ws+unix:///{'x' * 107}", None, "107 bytes"),
        (f"ws://{'é' * 80}.example/", None, "can't be encoded"),
    ],
)
def test_refused(url: str, host: str | None, why: str) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        resolve_url(url, host)
    assert "\n" not in str(raised.value)


def test_what_is_refused_is_shown_without_its_secrets() -> None:
    for url in ("ftp://ada:s3cret@chat.example/", "ws://chat.example/?token=s3cret#x"):
        with pytest.raises(UsageError) as raised:
            resolve_url(url)
        assert "s3cret" not in str(raised.value)


@given(urls, st.none() | urls)
def test_whatever_is_given_is_refused_in_a_line_or_can_be_opened(url: str, host: str | None) -> None:
    try:
        opened = resolve_url(url, host)
    except UsageError as error:
        opened = None
        refusal = str(error)
    if opened is None:
        assert "\n" not in refusal
        return
    assert opened.startswith(("ws://", "wss://", "ws+unix:///"))
    assert "#" not in opened
    assert not any(character.isspace() for character in opened)
    unix = unix_target(opened)
    assert parse_uri(unix[1] if unix else opened).host
    assert unix is None or unix[0].startswith("/")
    assert resolve_url(opened) == resolve_url(opened, "wss://other.example/") == opened


def test_a_unix_socket_and_what_is_requested_over_it() -> None:
    assert unix_target("ws+unix:///run/my%20chat.sock:/room?x=1") == (
        "/run/my chat.sock",
        "ws://localhost/room?x=1",
    )
    assert unix_target("ws://chat.example/") is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("chat.example:80", ("chat.example", 80)),
        ("10.0.0.7:65535", ("10.0.0.7", 65535)),
        ("[::1]:8080", ("::1", 8080)),
    ],
)
def test_an_address_to_connect_to(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "chat.example", ":80", "chat.example:", "h:0", "h:65536", "h:x", "::1:80", "[h]:80"]
)
def test_no_address_to_connect_to(text: str) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        parse_address(text)


@pytest.mark.parametrize("host", ["localhost", "chat.localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_this_very_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["chat.example", "10.0.0.1", "localhost.example", "128.0.0.1", "::2", ""])
def test_another_machine(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("ws://chat.example/", None),
        ("ws://chat.example/", "http://page.example"),
        ("wss://chat.example/", "https://page.example"),
        ("ws://127.0.0.1:8765/", "https://page.example"),
        ("ws://localhost/", "https://page.example"),
    ],
)
def test_what_a_page_may_open(url: str, origin: str | None) -> None:
    refuse_mixed_content(url, origin)


@pytest.mark.parametrize("url", ["ws://chat.example/", "ws://10.0.0.1/", "ws://localhost.example/"])
def test_a_secure_page_opens_nothing_insecure_elsewhere(url: str) -> None:
    with pytest.raises(UsageError, match="SecurityError"):
        refuse_mixed_content(url, "https://page.example")
