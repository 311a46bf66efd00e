"""Which URL is opened, by the browser's rules; and what may be shown of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.uri import parse_uri

from wsload.errors import UsageError
from wsload.load.ws.url import is_loopback, refuse_mixed_content, resolve_url, shown_url

PIECES = (
    *("ws", "wss", "http", "https", "ftp", ":", "//", "/", "#", "?", "@", "[", "]", "::1", "h", "localhost"),
    *("8000", "65536", " ", "\t", "\n", "\\", "%", "..", "é", "\ud800", "\x00", ".", "&=", "ws://"),
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
    assert opened.startswith(("ws://", "wss://"))
    assert "#" not in opened
    assert not any(character.isspace() for character in opened)
    assert parse_uri(opened).host
    assert resolve_url(opened) == resolve_url(opened, "wss://other.example/") == opened


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("wss://chat.example/room", "wss://chat.example/room"),
        ("wss://ada:secret@chat.example/room", "wss://***@chat.example/room"),
        ("wss://chat.example/room?token=secret", "wss://chat.example/room?***"),
        ("ada:secret@chat.example", "***@chat.example"),
        ("wss://ada:sec/ret@chat.example/room", "wss://***@chat.example/room"),
        ("wss://ada:sec//ret@chat.example/room", "wss://***@chat.example/room"),
        ("wss://chat.example/room#token=secret", "wss://chat.example/room#***"),
        ("wss://chat.example/#ada:secret@x?secret", "wss://chat.example/#***"),
        ("wss://chat.example:8443/room?mail=ada@x", "wss://chat.example:8443/room?***"),
        ("wss://ada:sec?ret@chat.example", "wss://***@chat.example"),
        ("wss://ada:sec#ret@[::1]:80/x", "wss://***@[::1]:80/x"),
        ("wss://ada:s@e@chat.example", "wss://***@chat.example"),
    ],
)
def test_shown_without_passwords_and_tokens(url: str, shown: str) -> None:
    assert shown_url(url) == shown


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
