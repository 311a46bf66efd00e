"""The probe's parts: its frames, the kernel's stamps, its options, its handshake and its results."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from conversations import WRONG, cuts, payloads, say, texts, turns
from hypothesis import given, settings
from hypothesis import strategies as st
from intervals import histograms
from pair import MAX_SIZE, QUIET, Message, chunks, frame
from support.certificates import Certificates
from support.serving import Serving
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from wsload.errors import UsageError
from wsload.measure.histogram import Histogram
from wsload.probe import stamps
from wsload.probe.frames import BINARY, PING, TEXT, FrameReader, Violation, client_frame
from wsload.probe.opening import OpeningError, Target, check_response, request
from wsload.probe.options import ProbeOptions
from wsload.probe.result import ProbeResult, added
from wsload.probe.watch import Watch
from wsload.probe.wire import Hangup, Wire, connect

OPTIONS = ProbeOptions(url="ws://127.0.0.1:1/")
SECOND = 1_000_000_000

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
@pytest.mark.parametrize("wrong", [name for name, (_, code) in WRONG.items() if code != 1007])
def test_a_server_that_breaks_the_protocol_is_told_why(wrong: str, bytewise: bool) -> None:
    data, code = WRONG[wrong]
    if wrong.startswith("close "):
        pytest.skip("how it closes is all the same to a probe")
    reader = FrameReader(max_bytes=MAX_SIZE)
    with pytest.raises(Violation) as caught:
        for chunk in chunks(data, range(len(data)) if bytewise else ()):
            reader.feed(chunk)
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


# The kernel's stamps


def timestamping(seconds: int, nanoseconds: int) -> tuple[int, int, bytes]:
    return socket.SOL_SOCKET, 37, struct.pack("@6l", seconds, nanoseconds, 0, 0, 0, 0)


def error(*, origin: int = 4, info: int = 0, data: int = 99) -> tuple[int, int, bytes]:
    return socket.IPPROTO_IP, 11, struct.pack("@IBBBBII", 42, origin, 0, 0, 0, info, data) + bytes(16)


def test_a_stamp_is_read_from_the_control_messages() -> None:
    assert stamps.received_ns([error(), timestamping(1_700_000_000, 123)]) == 1_700_000_000 * SECOND + 123
    assert stamps.sent_ns([timestamping(5, 7), error(data=2**32 - 1)]) == (2**32 - 1, 5 * SECOND + 7)
    ipv6 = (socket.IPPROTO_IPV6, 25, error()[2])
    assert stamps.sent_ns([timestamping(5, 7), ipv6]) == (99, 5 * SECOND + 7)


@pytest.mark.parametrize(
    "ancillary",
    [
        [],
        [timestamping(0, 0)],
        [(socket.SOL_SOCKET, 37, b"short")],
        [(socket.SOL_SOCKET, 29, timestamping(1, 1)[2])],
        [error()],
        [timestamping(5, 7)],
        [timestamping(5, 7), error(origin=1)],
        [timestamping(5, 7), error(info=2)],
    ],
)
def test_what_is_no_stamp_of_a_sending_is_none(ancillary: stamps.Ancillary) -> None:
    assert stamps.sent_ns(ancillary) is None


def test_a_socket_that_can_not_be_stamped_says_so() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.close()
        assert not stamps.enable(sock)


@pytest.fixture
def watch() -> Iterator[Watch]:
    one, other = socket.socketpair()
    with one, other:
        yield Watch([one.fileno()])


def read(wire: Wire, watch: Watch, size: int) -> tuple[bytes, int | None]:
    """So many bytes of plain text, and the stamp of the last of them."""
    data, stamp = b"", None
    until_ns = time.monotonic_ns() + 20 * SECOND
    while len(data) < size:
        assert watch.wait(wire, until_ns=until_ns, write=wire.backlog)
        wire.flush()
        while (arrival := wire.receive()) is not None:
            data, stamp = data + arrival.data, arrival.kernel_ns
    return data, stamp


async def echo(reader: Any, writer: Any) -> None:
    while data := await reader.read(100_000):
        writer.write(data)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps")
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_the_kernel_says_when_bytes_left_and_arrived(
    secure: bool, serving: Serving, watch: Watch, certificates: Certificates
) -> None:
    port = serving.tcp(echo, tls=certificates.server_context() if secure else None)
    until_ns = time.monotonic_ns() + 20 * SECOND
    wire = connect("127.0.0.1", port, wait=watch.wait, until_ns=until_ns)
    try:
        if secure:
            context = ssl.create_default_context(cafile=str(certificates.authority))
            wire.start_tls(context, "127.0.0.1", wait=watch.wait, until_ns=until_ns)
        stamped = 0
        for number in range(10):
            message = b"%d" % number * 50
            before = time.time_ns()
            sent = wire.send(message)
            data, received_ns = read(wire, watch, len(message))
            after = time.time_ns()
            assert data == message
            sent_ns = wire.sent_ns(sent)
            assert sent_ns is not None
            assert wire.sent_ns(sent) is None, "asked for once"
            if received_ns is not None:  # the kernel begins to stamp a moment after it was asked to
                stamped += 1
                assert before <= sent_ns <= received_ns <= after
        assert stamped >= 5
    finally:
        wire.close()


def test_a_large_message_goes_through_the_backlog(serving: Serving, watch: Watch) -> None:
    port = serving.tcp(echo)
    wire = connect("localhost", port, wait=watch.wait, until_ns=time.monotonic_ns() + 20 * SECOND)
    message = bytes(range(256)) * 40_000
    wire.send(message)
    assert wire.backlog
    assert read(wire, watch, len(message))[0] == message
    assert not wire.backlog
    wire.close()


def test_a_server_that_hangs_up_is_told_apart_from_silence(serving: Serving, watch: Watch) -> None:
    async def hang_up(reader: Any, writer: Any) -> None:
        await reader.read(1)

    wire = connect(
        "127.0.0.1", serving.tcp(hang_up), wait=watch.wait, until_ns=time.monotonic_ns() + 20 * SECOND
    )
    assert wire.receive() is None
    wire.send(b"!")
    with pytest.raises(Hangup):
        read(wire, watch, 1)
    wire.close()


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
    with pytest.raises(ValueError, match="."):
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
