"""The probe's parts: its frames, its options, its handshake and its results."""

from __future__ import annotations

import dataclasses
import os
import ssl
from collections.abc import Iterable
from typing import Any

import pytest
from conversations import WRONG, cuts, payloads, say, texts, turns
from hypothesis import given, settings
from hypothesis import strategies as st
from intervals import histograms
from pair import MAX_SIZE, QUIET, Message, chunks, frame
from support.waiting import until
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from wsload.errors import UsageError
from wsload.measure.histogram import Histogram
from wsload.protocols.chat.probe.frames import BINARY, PING, TEXT, FrameReader, Violation, client_frame
from wsload.protocols.chat.probe.opening import OpeningError, Target, check_response, request
from wsload.protocols.chat.probe.options import ProbeOptions
from wsload.protocols.chat.probe.process import ProbeProcess
from wsload.protocols.chat.probe.result import ProbeResult, added

OPTIONS = ProbeOptions(url="ws://127.0.0.1:1/")

MATTERS = [name for name, (_, code) in WRONG.items() if code != 1007 and not name.startswith("close ")]
"""How it closes is all the same to a probe, and what its text is, is for the chat to say."""

# Frames


@given(
    st.lists(
        st.tuples(st.sampled_from((TEXT, BINARY)), texts | payloads | st.just(b"x" * 70_000)), max_size=5
    )
)
def test_what_the_probe_sends_is_understood(sent: list[tuple[int, bytes]]) -> None:
    server = ServerProtocol(state=OPEN, logger=QUIET)
    server.receive_data(b"".join(client_frame(opcode, payload) for opcode, payload in sent))
    received = [event for event in server.events_received() if isinstance(event, Frame)]
    assert [(int(event.opcode), bytes(event.data)) for event in received] == sent


@settings(max_examples=150)
@given(st.lists(turns, max_size=8), cuts)
def test_however_the_stream_is_cut_the_frames_are_the_same(
    conversation: list[tuple[str, Any]], places: Iterable[int]
) -> None:
    server = ServerProtocol(state=OPEN, logger=QUIET)
    messages: list[Message] = []
    pings: list[bytes] = []
    for turn in conversation:
        said, asked = say(server, turn)
        messages += said
        pings += asked
    reader = FrameReader(max_bytes=MAX_SIZE)
    found = [each for chunk in chunks(b"".join(server.data_to_send()), places) for each in reader.feed(chunk)]
    assert [(data, opcode == TEXT) for opcode, data in found if opcode in (TEXT, BINARY)] == messages
    assert [data for opcode, data in found if opcode == PING] == pings


@pytest.mark.parametrize("bytewise", [False, True], ids=["at once", "bytewise"])
@pytest.mark.parametrize("wrong", MATTERS)
def test_a_server_that_breaks_the_protocol_is_told_why(wrong: str, bytewise: bool) -> None:
    data, code = WRONG[wrong]
    stream = chunks(data, range(len(data)) if bytewise else ())
    reader = FrameReader(max_bytes=MAX_SIZE)
    with pytest.raises(Violation) as caught:
        list(map(reader.feed, stream))
    assert caught.value.code == code


@given(st.lists(st.booleans(), max_size=20), cuts)
def test_others_posts_are_passed_over(own: list[bool], places: Iterable[int]) -> None:
    posts = [
        b'{"text":"~mine~ %d"}' % place if mine else b'{"text":"other"}' for place, mine in enumerate(own)
    ]
    stream = b"".join(frame(Opcode.TEXT, post) for post in posts) + frame(Opcode.PING, b"?")
    reader = FrameReader(max_bytes=MAX_SIZE)
    found = [each for chunk in chunks(stream, places) for each in reader.feed(chunk, b"~mine~")]
    assert found == [*((TEXT, post) for post, mine in zip(posts, own, strict=True) if mine), (PING, b"?")]


# Options and results


def test_options_go_through_standard_input_and_are_not_shown() -> None:
    options = ProbeOptions(
        url="wss://me:s3cret@host/?token=s3cret",
        rate=5.0,
        headers=(("Authorization", "Bearer s3cret"),),
        client_cert=("cert.pem", "key.pem"),
        subprotocols=(),
        insecure=True,
    )
    assert ProbeOptions.from_json(options.to_json()) == options
    assert "s3cret" not in repr(options)
    assert "\n" not in options.to_json()


@pytest.mark.parametrize(
    "line", ["", "[]", "{", '{"url": 5, "rte": 3}', '{"rate": 3}', '{"url": "x", "headers": [1]}']
)
def test_other_lines_are_no_options(line: str) -> None:
    with pytest.raises(UsageError, match="not the options of a probe"):
        ProbeOptions.from_json(line)


@pytest.mark.parametrize("rate", [0.0, -1.0, 1e6, float("nan")])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(UsageError, match="rate"):
        dataclasses.replace(OPTIONS, rate=rate)


def test_a_file_that_can_not_be_used_is_named() -> None:
    with pytest.raises(UsageError, match=r"no-such\.pem: No such file"):
        ProbeOptions(url="wss://x/", ca_file="no-such.pem").tls()


def test_certificates_are_verified_unless_told_otherwise() -> None:
    assert OPTIONS.tls().verify_mode is ssl.CERT_REQUIRED and OPTIONS.tls().check_hostname
    assert dataclasses.replace(OPTIONS, insecure=True).tls().verify_mode is ssl.CERT_NONE


counts = st.integers(0, 1000)
results = st.builds(
    ProbeResult,
    histogram=histograms | st.just(Histogram()),
    sent=counts,
    echoed=counts,
    lost=counts,
    unsent=counts,
    opens=counts,
    failures=counts,
    kernel=counts,
    problem=st.text(max_size=10),
    ended=st.booleans(),
)


@given(results)
def test_a_result_is_a_line_and_back(result: ProbeResult) -> None:
    line = result.to_json()
    assert "\n" not in line
    assert ProbeResult.from_json(line.encode()) == result


@given(st.lists(results, max_size=4), st.integers(0, 4))
def test_parts_add_up_in_any_grouping(parts: list[ProbeResult], split: int) -> None:
    grouped = [added(parts[:split]), added(parts[split:])]
    assert added(grouped) == added(parts)
    assert added([]) == ProbeResult()


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"histogram": 5}', b'{"sent": 1, "histogram": "x"}'])
def test_other_lines_are_no_result(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        ProbeResult.from_json(line)


@pytest.mark.parametrize(
    ("kernel", "receipt", "said"),
    [
        (4, 0, "kernel"),
        (0, 0, "user space"),
        (0, 4, "kernel (receiving), user space (sending)"),
        (3, 1, "kernel for 3 of 4"),
    ],
)
def test_it_says_whose_stamps_they_are(kernel: int, receipt: int, said: str) -> None:
    assert ProbeResult(histogram=Histogram.of([1] * 4), kernel=kernel, receipt=receipt).stamps == said
    assert ProbeResult().stamps == "none"


# The handshake


def offered(url: str, **options: Any) -> tuple[ServerProtocol, bytes, str]:
    """A server that has read the request, its response, and the key."""
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    server = ServerProtocol(subprotocols=["json"], logger=QUIET)  # type: ignore[list-item]
    server.receive_data(request(Target.of(url), ProbeOptions(url=url, **options), key))
    (event,) = server.events_received()
    server.send_response(server.accept(event))  # type: ignore[arg-type]
    head, end, _ = b"".join(server.data_to_send()).partition(b"\r\n\r\n")
    assert end
    return server, head, key


def test_a_handshake_with_the_librarys_server() -> None:
    server, head, key = offered("ws://me:p%40ss@host.example:81/room?x=1", headers=(("Cookie", "a=b"),))
    check_response(head, OPTIONS, key)
    assert server.handshake_exc is None and server.subprotocol == "json"


def test_the_request_says_what_was_asked_for() -> None:
    url = "wss://me:p%40ss@[::1]:8443/röm?q=é"
    lines = (
        request(Target.of(url), ProbeOptions(url=url, headers=(("X-A", "1"),)), "k").decode().split("\r\n")
    )
    assert lines[0] == "GET /r%C3%B6m?q=%C3%A9 HTTP/1.1"
    assert {"Host: [::1]:8443", "X-A: 1", "Authorization: Basic bWU6cEBzcw=="} <= set(lines)


def test_default_ports_are_not_said_and_names_are_encoded() -> None:
    target = Target.of("ws://münchen.example")
    assert (target.host, target.port, target.authority) == (
        "xn--mnchen-3ya.example",
        80,
        "xn--mnchen-3ya.example",
    )
    assert Target.of("wss://a/").port == 443 and target.resource == "/" and target.authorization == ""


@pytest.mark.parametrize(
    "url", ["", "host", "/path", "http://host/", "ws://", "ws://host:99999/", "ws://[::1/"]
)
def test_other_urls_are_refused_without_quoting_them(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Target.of(url)
    assert not url or url not in str(caught.value)


def test_a_header_that_would_be_two_is_refused() -> None:
    with pytest.raises(UsageError, match="line break"):
        request(Target.of(OPTIONS.url), dataclasses.replace(OPTIONS, headers=(("A", "b\r\nC: d"),)), "k")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"HTTP/1.1 101", b"HTTP/1.1 503", "bad status 503"),
        (b"HTTP/1.1 101", b"SSH-2.0-x", "bad handshake"),
        (b"HTTP/1.1 101", b"HTTP/1.1", "bad handshake"),
        (b"Upgrade: websocket", b"Upgrade: h2c", "bad handshake"),
        (b"Sec-WebSocket-Accept: ", b"Sec-WebSocket-Accept: x", "bad handshake"),
        (b"Sec-WebSocket-Protocol: json", b"Sec-WebSocket-Protocol: other", "subprotocol"),
        (b"Sec-WebSocket-Protocol: json", b"X: y", "subprotocol"),
        (b"Upgrade: websocket", b"Upgrade: websocket\r\nSec-WebSocket-Extensions: x", "bad handshake"),
    ],
)
def test_a_response_that_opens_nothing_is_named(old: bytes, new: bytes, reason: str) -> None:
    _, head, key = offered(OPTIONS.url)
    assert old in head
    with pytest.raises(OpeningError, match=f"^{reason}"):
        check_response(head.replace(old, new), OPTIONS, key)


def test_a_line_that_is_no_result_is_a_problem_and_the_others_are_read() -> None:
    probe = ProbeProcess(OPTIONS)
    try:
        assert until(probe.read, what="a first second")
        for line in (b"Warning: something\n", b'{"histogram": "x"}\n', b"[1]\n"):
            os.write(probe._output.fileno(), line)
        assert sum("could not be read" in part.problem for part in probe.read()) == 3
        probe.end()
    finally:
        assert probe.stop().ended
