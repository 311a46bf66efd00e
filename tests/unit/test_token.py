from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from wsload.protocols.chat.conversation import token

clocks = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=8, max_size=8)
senders = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=12, max_size=12)
numbers = st.integers(0, 2**32 - 1)
instants = st.integers(0, 2**63 - 1)
tokens = st.builds(token.mint, clocks, senders, numbers, instants)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TOKEN = token.mint("k1ljk2lj", "0a1b2c3d4e5f", 7, 12_345_678_901)


@given(clocks, senders, numbers, instants)
def test_what_was_minted_is_read_again(clock: str, sender: str, number: int, sent_ns: int) -> None:
    minted = token.mint(clock, sender, number, sent_ns).encode()
    assert len(minted) == token.LENGTH
    assert token.find(minted) == 0
    assert minted[token.CLOCK].decode() == clock
    assert minted[token.SENDER].decode() == sender
    assert int(minted[token.NUMBER], 16) == number
    assert int(minted[token.SENT], 16) == sent_ns


@given(numbers)
def test_numbers_wrap_at_32_bits(number: int) -> None:
    assert token.mint("a" * 8, "b" * 12, number + 2**32, 0) == token.mint("a" * 8, "b" * 12, number, 0)


@given(tokens, st.text(), st.dictionaries(st.text(), json_values, max_size=3), st.booleans(), st.booleans())
def test_it_is_found_in_any_surrounding_json(
    minted: str, text: str, others: dict[str, object], first: bool, ascii_only: bool
) -> None:
    message = {"text": f"{text} {minted}", **others} if first else {**others, "text": f"{text} {minted}"}
    data = json.dumps(message, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    start = token.find(data)
    assert data[start : start + token.LENGTH].decode() == minted


@given(tokens, tokens, st.text())
def test_of_several_the_last_one_counts(quoted: str, minted: str, text: str) -> None:
    data = json.dumps({"text": f"you said {quoted}: {text} {minted}"}).encode()
    start = token.find(data)
    assert data[start : start + token.LENGTH].decode() == minted
    assert data.count(token.PREFIX) >= 2


@given(tokens, st.integers(0, token.LENGTH - 1))
def test_a_token_cut_short_is_none(minted: str, length: int) -> None:
    assert token.find(minted[:length].encode()) == -1


@given(st.integers(0, token.LENGTH - 1), st.sampled_from("~.+-_ XG{é\x00"))
def test_a_token_with_a_wrong_character_is_none(place: int, character: str) -> None:
    if TOKEN[place] == character:
        return
    spoilt = TOKEN[:place] + character + TOKEN[place + 1 :]
    assert token.find(spoilt.encode()) == -1


@given(st.binary())
def test_any_bytes_are_looked_through(data: bytes) -> None:
    start = token.find(data)
    assert start == -1 or token.find(data[start:]) == 0


def test_it_holds_nothing_that_json_or_html_would_change() -> None:
    assert json.dumps(TOKEN) == f'"{TOKEN}"'
    assert not set(TOKEN) & set("<>&\"'\\/")


def test_what_only_begins_like_one_is_passed_over() -> None:
    data = f"{TOKEN} ~ws.~ws.~ws.".encode()
    assert token.find(data) == 0


texts = st.lists(tokens | st.text("~ws.0a", max_size=60)).map(lambda parts: " ".join(parts).encode())


@given(st.binary() | texts)
def test_what_is_read_is_what_was_found(data: bytes) -> None:
    start = token.find(data)
    if start < 0:
        assert token.read(data) is None
        return
    found = data[start : start + token.LENGTH]
    clock, sender = found[token.CLOCK], found[token.SENDER]
    assert token.read(data) == (clock, sender, int(found[token.NUMBER], 16), int(found[token.SENT], 16))
