"""Names and kinds in one key: what is read is what was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.measure.keys import join_key, split_key

texts = st.text(": \\a") | st.text()


@given(texts, texts)
def test_what_is_read_is_what_was_written(what: str, kind: str) -> None:
    assert split_key(join_key(what, kind)) == (what, kind)


@given(st.text().filter(lambda what: ": " not in what and "\\" not in what), texts)
def test_other_names_are_written_as_they_are(what: str, kind: str) -> None:
    assert join_key(what, kind) == f"{what}: {kind}"


@given(st.text().filter(lambda what: "\\" not in what))
def test_keys_of_older_files_are_read_as_before(key: str) -> None:
    what, _, kind = key.partition(": ")
    assert split_key(key) == (what, kind)


@pytest.mark.parametrize(
    ("what", "key"),
    [
        ("open", "open: refused"),
        ("shop: buy", r"shop:\ buy: refused"),
        (r"shop:\ buy", r"shop:\\ buy: refused"),
        ("a: : b", r"a:\ :\ b: refused"),
        ("http://shop", "http://shop: refused"),
    ],
)
def test_it_stays_readable(what: str, key: str) -> None:
    assert join_key(what, "refused") == key
