"""How figures read, and how people's own are read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload import words


@pytest.mark.parametrize(
    ("value_ns", "said"),
    [
        (0, "0"),
        (511, "0.001"),
        (312_000, "0.312"),
        (999_400, "0.999"),
        (999_600, "1.00"),
        (9_994_000, "9.99"),
        (9_996_000, "10.0"),
        (12_400_000, "12.4"),
        (99_940_000, "99.9"),
        (99_960_000, "100"),
        (1_204_000_000, "1,204"),
        (-12_400_000, "-12.4"),
    ],
)
def test_milliseconds_have_three_digits(value_ns: int, said: str) -> None:
    assert words.ms(value_ns) == said
    assert words.milliseconds(value_ns) == f"{said} ms"


@given(st.integers(0, 10**11), st.integers(0, 10**11))
def test_a_longer_time_never_looks_shorter(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert float(words.ms(low).replace(",", "")) <= float(words.ms(high).replace(",", ""))


@given(st.integers(1_000, 10**11))
def test_a_shown_time_is_right_to_half_a_percent(value_ns: int) -> None:
    shown_ns = float(words.ms(value_ns).replace(",", "")) * 1e6
    assert abs(shown_ns - value_ns) <= max(0.0051 * value_ns, 500)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (8.42e-5, "0.084 ms"),
        (0.001, "0.001 s"),
        (0.25, "0.25 s"),
        (1.5, "1.5 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (245, "4 min 5 s"),
        (3599.6, "1 h"),
        (3725, "1 h 2 min"),
        (360_000, "100 h"),
    ],
)
def test_how_long_it_takes(seconds: float, said: str) -> None:
    assert words.span(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0:00"), (42.4, "0:42"), (60, "1:00"), (3599.6, "1:00:00"), (7384, "2:03:04")],
)
def test_a_time_since_the_start_reads_as_on_a_clock(seconds: float, said: str) -> None:
    assert words.clock(seconds) == said


def test_dates_are_in_utc() -> None:
    assert words.when(1_732_278_960) == "2024-11-22 12:36:00 UTC"
    assert words.stamp(1_732_278_960.9) == "20241122T123600Z"


@pytest.mark.parametrize(
    ("per_second", "said"),
    [(0.0, "0"), (0.25, "0.25"), (9.996, "10.0"), (49.94, "49.9"), (99.96, "100"), (12_345.6, "12,346")],
)
def test_rates(per_second: float, said: str) -> None:
    assert words.rate(per_second) == said


def test_counts() -> None:
    assert words.number(1_234_567) == "1,234,567"
    assert [words.counted(n, "pair") for n in (0, 1, 1_204)] == ["0 pairs", "1 pair", "1,204 pairs"]
    assert words.counted(2, "statistic is", "statistics are") == "2 statistics are"


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1 kB"),
        (121_000, "121 kB"),
        (999_499, "999 kB"),
        (999_600, "1 MB"),
        (12_400_000, "12.4 MB"),
        (3 * 10**12, "3 TB"),
        (1_234 * 10**12, "1,234 TB"),
    ],
)
def test_sizes(count: int, said: str) -> None:
    assert words.size(count) == said


def test_memory_is_counted_in_powers_of_two() -> None:
    assert words.size(16 << 30, binary=True) == "16 GiB"
    assert words.size(1_023, binary=True) == "1,023 B"


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "0 %"),
        (0.036, "3.6 %"),
        (0.85, "85 %"),
        (1, "100 %"),
        (12.345, "1,234.5 %"),
        (0.000_021, "0.0021 %"),
        (0.9998, "99.98 %"),
        (0.999_999, "99.9999 %"),
    ],
)
def test_shares(share: float, said: str) -> None:
    assert words.percent(share) == said


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_only_nothing_is_none_and_only_all_is_all(one: int, other: int) -> None:
    part, whole = sorted((one, other))
    assert words.percent(part / whole) != "0 %"
    assert (words.percent(part / whole) == "100 %") == (part == whole)


@given(st.floats(0, 10))
def test_a_bound_is_never_rounded_down(share: float) -> None:
    shown = float(words.percent_up(share).removesuffix(" %")) / 100
    assert share - 1e-8 <= shown <= share + 0.00101


def test_bounds() -> None:
    assert [words.percent_up(share) for share in (0.0421, 0.042, 0.0)] == ["4.3 %", "4.2 %", "0 %"]


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (1.1, "+10.0 %"),
        (1, "0 %"),
        (0.9996, "0 %"),
        (1.0004, "0 %"),
        (0.5, "-50.0 %"),
        (7.6, "×7.6"),
        (0.1, "×0.1"),
        (1e6, ">×1000"),
        (1e-6, "<×0.001"),
    ],
)
def test_changes(ratio: float, said: str) -> None:
    assert words.change(ratio) == said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1.1, 1.2, ("+10.0 %", "+20.0 %")),
        (4.904, 5.28, ("×4.9", "×5.28")),
        (0.1, 1.1, ("×0.1", "×1.1")),
        (0, 2, ("<×0.001", "×2")),
    ],
)
def test_the_bounds_of_a_change_are_of_one_kind(low: float, high: float, said: tuple[str, str]) -> None:
    assert words.changes(low, high) == said


def test_lists() -> None:
    assert [words.listed(["a", "b", "c"][:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert words.listed(["ws", "wss"], "or") == "ws or wss"


@given(st.text())
def test_printable_text_is_one_line_that_steers_nothing(text: str) -> None:
    found = words.printable(text)
    assert len(found) == len(text)
    assert all(character.isprintable() or character == "\ufffd" for character in found)


# What people write


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("100us", 100_000),
        ("100 μs", 100_000),
        ("100µs", 100_000),
        ("500ms", 500_000_000),
        (".5s", 500_000_000),
        (" 1.5m ", 90_000_000_000),
        ("1h", 3_600_000_000_000),
    ],
)
def test_durations(text: str, expected_ns: int) -> None:
    assert words.duration_ns(text) == expected_ns


def test_a_bare_number_has_the_unit_that_is_said() -> None:
    assert words.duration_ns("2", unit="s") == 2_000_000_000
    with pytest.raises(ValueError, match="such as 500ms"):
        words.duration_ns("2")


def test_sizes_and_shares_of_people() -> None:
    assert [words.byte_count(text) for text in ("7", "7B", "64 KiB", "1MiB")] == [7, 7, 65_536, 1 << 20]
    assert [words.share(text) for text in ("3%", "0.1 %", "100%")] == [0.03, 0.001, 1]


@pytest.mark.parametrize("parse", [words.duration_ns, words.byte_count, words.share])
@pytest.mark.parametrize("text", ["", "x", "-1s", "1,5s", "1e3s", "1ss", "٣s", "3%%", "-3%", "1kB"])
def test_what_is_no_figure_is_refused(parse: Callable[[str], float], text: str) -> None:
    with pytest.raises(ValueError, match=", such as "):
        parse(text)


def test_a_build_is_called_by_its_letter_and_its_name() -> None:
    assert words.build_name("A", "v1") == "A (v1)"
    assert words.build_name("A", "A") == "A"
