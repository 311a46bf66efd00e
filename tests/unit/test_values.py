"""Reading the text of options: what is allowed becomes a value, all else says what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.load.options.parsing import (
    addresses,
    byte_count,
    duration_s,
    header,
    number,
    one_of,
    token_list,
    whole,
)

texts = st.text(max_size=12) | st.text(alphabet="0123456789.,eE+-_ umsh", max_size=8)

READERS = {
    "duration": duration_s(0.01, 600),
    "size": byte_count(1, 1 << 30),
    "whole": whole(1, 1_000),
    "number": number(0.5, 1e6),
    "word": one_of("poisson", "constant"),
    "header": header,
    "tokens": lambda text: token_list([text]),
    "addresses": lambda text: addresses([text]),
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("duration", "2s", 2.0),
        ("duration", " 500 ms ", 0.5),
        ("duration", "1.5m", 90.0),
        ("duration", ".25", 0.25),
        ("duration", "10", 10.0),
        ("duration", 10, 10.0),
        ("duration", "10000us", 0.01),
        ("duration", "10000µs", 0.01),
        ("size", "1", 1),
        ("size", "64 KiB", 65536),
        ("size", "1MiB", 1 << 20),
        ("size", "1GiB", 1 << 30),
        ("size", 5, 5),
        ("whole", " 42 ", 42),
        ("whole", 42, 42),
        ("number", "0.5", 0.5),
        ("number", "1e3", 1000.0),
        ("word", "poisson", "poisson"),
        ("header", "X-Key: a: b ", ("X-Key", "a: b")),
        ("header", "X-Empty:", ("X-Empty", "")),
        ("tokens", " json ", ("json",)),
        ("tokens", "", ()),
        ("addresses", " ::1 ", ("::1",)),
    ],
)
def test_read(name: str, text: Any, value: Any) -> None:
    assert READERS[name](text) == value


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("duration", "", "such as 500ms"),
        ("duration", "soon", "such as 500ms"),
        ("duration", "1e3s", "such as 500ms"),
        ("duration", "-1s", "such as 500ms"),
        ("duration", "5 minutes", "such as 500ms"),
        ("duration", "5ms", "from 0.01s to 600s"),
        ("duration", "11m", "from 0.01s to 600s"),
        ("size", "1MB", "such as 1MiB"),
        ("size", "0", "from 1 to 1,073,741,824 bytes"),
        ("whole", "0", "a whole number from 1 to 1,000"),
        ("whole", "1001", "a whole number from 1 to 1,000"),
        ("whole", "1.5", "a whole number from 1 to 1,000"),
        ("whole", "٣", "a whole number from 1 to 1,000"),
        ("number", "nan", "a number from 0.5 to 1,000,000"),
        ("number", "inf", "a number from 0.5 to 1,000,000"),
        ("number", "0.4", "a number from 0.5 to 1,000,000"),
        ("number", "many", "a number from 0.5 to 1,000,000"),
        ("word", "Poisson", "must be poisson or constant"),
        ("header", "no colon", "'Name: value'"),
        ("header", ": value", "'Name: value'"),
        ("header", "Two Words: value", "'Name: value'"),
        ("header", "A: b\r\nC: d", "in one line"),
        ("header", "A: \x1b[2J", "printable"),
        (
            "header",
            "host: b.example",
            "host is set by the handshake and can't be set here: it is the URL's",
        ),
        ("header", "Origin: https://a.example", "use --ws-origin"),
        ("header", "Sec-WebSocket-Key: a", "leave it out"),
        ("tokens", "a b", "is not a subprotocol"),
        ("tokens", "a,b", "is not a subprotocol"),
        ("addresses", "localhost", "does not appear to be an IPv4 or IPv6 address"),
    ],
)
def test_refused(name: str, text: Any, allowed: str) -> None:
    with pytest.raises(ValueError, match=allowed):
        READERS[name](text)


def test_subprotocols_keep_their_order_and_stand_once() -> None:
    assert token_list(["v2.chat", "json"]) == ("v2.chat", "json")
    assert token_list(None) == ()
    with pytest.raises(ValueError, match="twice"):
        token_list(["json", " json"])


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@given(text=texts)
def test_any_text_is_read_or_refused(read: Callable[[Any], Any], text: str) -> None:
    refusal = ""
    try:
        assert read(text) is not None
    except ValueError as error:
        refusal = str(error)
    assert "\n" not in refusal


@given(st.integers(1, 599_999))
def test_a_duration_means_the_same_in_every_unit(milliseconds: int) -> None:
    read = duration_s(0, 600)
    assert read(f"{milliseconds}ms") == pytest.approx(read(f"{milliseconds * 1000}us"))
    assert read(f"{milliseconds}ms") == pytest.approx(read(f"{milliseconds / 1000:.3f}"))


@given(st.integers(1, 1 << 20))
def test_a_size_means_the_same_in_every_unit(size: int) -> None:
    read = byte_count(1, 1 << 40)
    assert read(f"{size}KiB") == read(f"{size << 10}") == read(f"{size << 10}B")
    assert read(f"{size}MiB") == read(f"{size << 10}KiB")


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_header_is_never_two(name: str, value: str) -> None:
    try:
        read = header(f"{name}:{value}")
    except ValueError:
        return
    assert "".join(read).isprintable()
    assert ":" not in read[0]
