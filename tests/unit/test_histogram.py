from __future__ import annotations

import base64
import math
import statistics
import struct
import zlib

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st
from intervals import histograms, values

from wsload.measure.encoding import MAX_ENCODED_BYTES
from wsload.measure.histogram import Histogram, merged
from wsload.measure.layout import DIGITS, HIGHEST_NS, LENGTH, LOWEST_NS, TRACKABLE_NS

MS = 1_000_000
percentiles = st.floats(0.001, 100) | st.sampled_from((50.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0))


def bucket_error(value: int) -> int:
    """How far above a value the upper edge of its bucket may lie."""
    return max(511, value // 1000)


def ranked(data: list[int], percentile: float) -> int:
    """The oracle: the value of the ceiling rank in the sorted list."""
    rank = math.ceil(math.nextafter(percentile, -math.inf) * len(data) / 100)
    return sorted(data)[max(rank, 1) - 1]


@given(st.lists(values, min_size=1, max_size=200), percentiles)
def test_percentile_is_the_ranked_value_within_its_bucket(data: list[int], percentile: float) -> None:
    true = ranked(data, percentile)
    assert 0 <= Histogram.of(data).percentile(percentile) - true <= bucket_error(true)


@pytest.mark.parametrize(
    ("count", "percentile", "rank"),
    [
        (1, 50, 1),
        (1, 99.9, 1),
        (2, 50, 1),
        (3, 50, 2),
        (4, 50, 2),
        (10, 90, 9),
        (10, 95, 10),
        (10, 99, 10),
        (100, 99, 99),
        (100, 99.9, 100),
        (101, 99, 100),
        (1000, 99.9, 999),
    ],
)
def test_small_data_sets_take_the_ceiling_rank(count: int, percentile: float, rank: int) -> None:
    found = Histogram.of([number * MS for number in range(1, count + 1)]).percentile(percentile)
    assert 0 <= found - rank * MS <= bucket_error(rank * MS)


@given(st.lists(values, min_size=1, max_size=100), st.lists(percentiles, min_size=2, max_size=5))
def test_percentiles_grow_with_the_percentile_and_stay_within_min_and_max(
    data: list[int], wanted: list[float]
) -> None:
    histogram = Histogram.of(data)
    found = histogram.percentiles(sorted(wanted))
    assert found == sorted(found)
    assert histogram.min_ns <= found[0]
    assert found[-1] <= histogram.max_ns
    assert histogram.percentile(100) == histogram.max_ns
    assert histogram.percentile(0) == histogram.min_ns


@given(st.lists(values, min_size=1, max_size=100))
def test_min_max_mean_and_deviation_are_those_of_the_values_within_a_bucket(data: list[int]) -> None:
    histogram = Histogram.of(data)
    error = bucket_error(max(data))
    assert histogram.total == len(data)
    assert 0 <= min(data) - histogram.min_ns <= bucket_error(min(data))
    assert 0 <= histogram.max_ns - max(data) <= error
    assert abs(histogram.mean_ns - statistics.fmean(data)) <= error
    assert abs(histogram.deviation_ns - statistics.pstdev(data)) <= 2 * error


def test_an_empty_histogram_answers_zeros() -> None:
    empty = Histogram()
    empty.record([])
    assert empty.percentiles((0, 50, 100)) == [0, 0, 0]
    assert (empty.min_ns, empty.max_ns, empty.mean_ns, empty.deviation_ns) == (0, 0, 0.0, 0.0)
    assert empty.count_above(0) == 0
    assert [len(part) for part in empty.buckets()] == [0, 0]


def test_values_out_of_range_are_counted_and_in_no_bucket() -> None:
    histogram = Histogram.of([-1, 5 * MS, TRACKABLE_NS, TRACKABLE_NS + 1])
    histogram.record([2**70, -(2**70), 5 * MS])
    assert (histogram.total, histogram.overflow) == (3, 4)
    assert histogram.max_ns == TRACKABLE_NS
    assert TRACKABLE_NS >= HIGHEST_NS


def test_count_above_leaves_out_the_bucket_of_the_value() -> None:
    histogram = Histogram.of([MS, 2 * MS, 3 * MS])
    assert [histogram.count_above(value) for value in (-5, 0, MS, 2 * MS, 3 * MS, 2**80)] == [
        3,
        3,
        2,
        1,
        0,
        0,
    ]


def test_buckets_are_the_filled_ones() -> None:
    edges, counts = Histogram.of([100, 200, 5 * MS]).buckets()
    assert counts.tolist() == [2, 1]
    assert edges[0] == 511
    assert 5 * MS <= edges[1] <= 5 * MS + bucket_error(5 * MS)


@given(st.lists(st.lists(values, max_size=20), max_size=4))
def test_merging_equals_recording_everything_at_once(parts: list[list[int]]) -> None:
    assert merged(Histogram.of(part) for part in parts) == Histogram.of(
        [each for part in parts for each in part]
    )


@given(histograms, histograms, histograms)
def test_merging_is_associative_and_commutative_with_the_empty_one_as_identity(
    a: Histogram, b: Histogram, c: Histogram
) -> None:
    assert merged([a, merged([b, c])]) == merged([merged([a, b]), c])
    assert merged([a, b]) == merged([b, a])
    assert merged([a, Histogram()]) == a == merged([Histogram(), a])
    assert merged([]) == Histogram()


@given(st.lists(values, max_size=20), st.lists(values, max_size=20), st.booleans())
def test_what_is_taken_away_again_leaves_the_rest(rest: list[int], part: list[int], slim: bool) -> None:
    """However the part is held: with its empty buckets or without, and with values out of range."""
    taken = Histogram.of([*part, -1])
    taken = taken.slim() if slim else taken
    whole = Histogram.of([*rest, -1])
    whole.add(taken)
    whole.subtract(taken)
    assert whole == Histogram.of([*rest, -1])
    assert (whole.total, whole.overflow) == (len(rest), 1)
    assert not (slim and len(taken._counts)), "it stays slim"


def test_merging_and_copying_leave_the_parts_as_they_were() -> None:
    a, b = Histogram.of([MS]), Histogram.of([2 * MS])
    merged([a, b])
    a.copy().add(b)
    assert (a, b) == (Histogram.of([MS]), Histogram.of([2 * MS]))
    assert a != "something else"
    assert repr(a) == "<Histogram of 1 values, max 1000447 ns>"


@given(st.lists(values, max_size=100))
def test_decoding_gives_what_was_encoded(data: list[int]) -> None:
    histogram = Histogram.of(data)
    encoded = histogram.encode()
    again = Histogram.decode(encoded)
    assert again == histogram
    assert again.total == histogram.total
    assert again.encode() == encoded
    assert Histogram.decode(encoded.decode()) == histogram


@given(st.lists(values, max_size=50))
def test_another_library_reads_and_writes_the_same_encoding(data: list[int]) -> None:
    theirs = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    for value in data:
        theirs.record_value(value)
    ours = Histogram.of(data)
    assert list(HdrHistogram.decode(ours.encode()).counts) == list(theirs.counts)
    assert Histogram.decode(theirs.encode()) == ours


def test_the_largest_counts_survive_encoding() -> None:
    histogram = Histogram.of([0, TRACKABLE_NS])
    histogram.counts[:] *= 2**40
    histogram.total = int(histogram.counts.sum())
    assert Histogram.decode(histogram.encode()).total == 2**41


@given(st.lists(st.integers(1, 3_600_000_000_000), min_size=1, max_size=30), st.sampled_from((2, 3, 4)))
def test_another_layout_is_recorded_again_and_what_does_not_fit_is_counted(
    data: list[int], digits: int
) -> None:
    theirs = HdrHistogram(1, 3_600_000_000_000, digits)
    for value in data:
        theirs.record_value(value)
    ours = Histogram.decode(theirs.encode())
    assert ours.total + ours.overflow == len(data)
    fitting = sum(theirs.get_lowest_equivalent_value(value) <= TRACKABLE_NS for value in data)
    assert ours.total == fitting
    if fitting:
        smallest = min(data)
        assert abs(ours.min_ns - smallest) <= max(512, smallest / 10 ** (digits - 1))


def encoded(
    varints: bytes,
    *,
    digits: int = DIGITS,
    lowest: int = LOWEST_NS,
    highest: int = HIGHEST_NS,
    cookie: int = 0x1C849313,
) -> bytes:
    """A histogram as a stranger may have written it."""
    header = struct.pack(">IIIIQQd", cookie, len(varints), 0, digits, lowest, highest, 1.0)
    packed = zlib.compress(header + varints)
    return base64.b64encode(struct.pack(">II", 0x1C849314, len(packed)) + packed)


def test_a_strangers_encoding_is_read() -> None:
    assert Histogram.decode(encoded(b"\x02")).total == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"not base64 at all!", id="not base64"),
        pytest.param("µ", id="not ASCII"),
        pytest.param(base64.b64encode(b"short"), id="no header"),
        pytest.param(base64.b64encode(struct.pack(">II", 0x1C849314, 9) + b"not zlib!"), id="not zlib"),
        pytest.param(Histogram.of([MS]).encode()[:-8], id="cut"),
        pytest.param(b"A" * (MAX_ENCODED_BYTES + 1), id="long"),
        pytest.param(encoded(bytes(MAX_ENCODED_BYTES)), id="zip bomb"),
        pytest.param(encoded(b"\x02", cookie=0x1C849301), id="an older encoding"),
        pytest.param(encoded(b"\x80"), id="half a number"),
        pytest.param(encoded(b"\x02" * (LENGTH + 1)), id="more counts than buckets"),
        pytest.param(encoded(b"\xfe" * 8 + b"\x7f"), id="an enormous count"),
        pytest.param(encoded(b"\xff" * 9), id="an enormous gap"),
        pytest.param(encoded(b"\x02", digits=9), id="nine digits"),
        pytest.param(encoded(b"\x02", lowest=0), id="lowest 0"),
        pytest.param(encoded(b"\x02", lowest=5, highest=6), id="no range"),
        pytest.param(encoded(b"\x02", digits=5, lowest=1, highest=2**62), id="millions of buckets"),
        pytest.param(encoded(b"\x02", lowest=2**60, highest=2**63), id="beyond 63 bits"),
    ],
)
def test_what_is_no_histogram_is_refused(data: bytes | str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Histogram.decode(data)


@given(st.binary(max_size=300))
def test_any_counts_are_read_or_refused(varints: bytes) -> None:
    try:
        histogram = Histogram.decode(encoded(varints))
    except ValueError:
        return
    assert histogram.total == histogram.counts.sum() >= 0
    assert histogram.percentile(99) <= TRACKABLE_NS


@given(st.binary(min_size=1, max_size=40), st.integers(0, 200))
def test_a_damaged_encoding_is_read_or_refused(patch: bytes, place: int) -> None:
    data = bytearray(base64.b64decode(Histogram.of(range(0, 10 * MS, 50_000)).encode()))
    data[place : place + len(patch)] = patch
    try:
        histogram = Histogram.decode(base64.b64encode(bytes(data)))
    except ValueError:
        return
    assert histogram.total >= 0


def test_histograms_are_equal_where_counts_and_overflow_are() -> None:
    assert Histogram.of([5 * MS, 7 * MS]) == Histogram.of([7 * MS, 5 * MS])
    assert Histogram.of([5 * MS]) != Histogram.of([7 * MS])
    assert Histogram.of([5 * MS]) != Histogram.of([5 * MS, 5 * MS])
    assert Histogram.of([5 * MS]) != Histogram.of([5 * MS, TRACKABLE_NS + 1])
