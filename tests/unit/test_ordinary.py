"""The ordinary answer to an opening handshake: what is recognized at first sight, the library accepts too."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pair import QUIET, URI
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake

from wsload.load.ws import compat
from wsload.load.ws.handshake import Handshake
from wsload.load.ws.ordinary import accept_of, ordinary

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
OFFERED = ("json", "chat.v2")
FIRST = b"HTTP/1.1 101 Switching Protocols"
UPGRADE, CONNECTION = b"Upgrade: websocket", b"Connection: Upgrade"
ACCEPTED = b"Sec-WebSocket-Accept: " + ACCEPT
USUAL = (UPGRADE, CONNECTION, ACCEPTED)


def head(*lines: bytes, first: bytes = FIRST) -> bytes:
    return b"\r\n".join((first, *lines, b"", b""))


def judged(answer: bytes) -> Any:
    """The subprotocol and extensions by the library's verdict; None if it refuses the answer."""
    protocol = ClientProtocol(URI, subprotocols=list(OFFERED), logger=QUIET)  # type: ignore[arg-type]
    protocol.connect()
    compat.set_key(protocol, KEY)
    protocol.receive_data(answer)
    error, subprotocol, extensions = compat.handshake_result(protocol)
    return None if error is not None else (subprotocol, extensions)


def test_the_accept_of_the_rfc() -> None:
    """RFC 6455 section 1.3."""
    assert accept_of(KEY) == ACCEPT


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        (head(*USUAL), None),
        (head(*USUAL, first=b"HTTP/1.1 101 "), None),
        (head(b"connection: upgrade", b"UPGRADE:WebSocket", ACCEPTED), None),
        (head(*USUAL, b"Sec-WebSocket-Protocol: chat.v2"), "chat.v2"),
        (head(b"Server: nginx/1.27", b"Date: Thu, 26 Nov 2026 13:00:00 GMT", *USUAL, b"X-Empty:"), None),
    ],
)
def test_ordinary_answers(answer: bytes, chosen: str | None) -> None:
    assert ordinary(answer, KEY, OFFERED) == (chosen,)
    assert judged(answer) == (chosen, [])


@pytest.mark.parametrize(
    "answer",
    [
        head(*USUAL, first=b"HTTP/1.1 200 OK"),
        head(*USUAL, first=b"HTTP/1.0 101 Switching Protocols"),
        head(*USUAL, first=b"HTTP/1.1 101"),
        head(UPGRADE, CONNECTION),
        head(UPGRADE, ACCEPTED, b"A: b"),
        head(CONNECTION, ACCEPTED, b"A: b"),
        head(b"Upgrade: h2c", CONNECTION, ACCEPTED),
        head(UPGRADE, b"Connection: keep-alive, Upgrade", ACCEPTED),
        head(UPGRADE, CONNECTION, ACCEPTED.replace(b"s3p", b"S3p")),
        head(*USUAL, ACCEPTED),
        head(*USUAL, b"Sec-WebSocket-Protocol: other"),
        head(*USUAL, b"Sec-WebSocket-Protocol: json, chat.v2"),
        head(*USUAL, b"Sec-WebSocket-Extensions: permessage-deflate"),
        head(*USUAL, b"Set-Cookie: a=1", b"Set-Cookie: b=2"),
        head(*USUAL, b" folded"),
        head(*USUAL, b"Tab:\there"),
        head(*USUAL, b"No colon"),
        head(*USUAL, "Name: Zoë".encode()),
        head(*USUAL).replace(b"\r\n", b"\n"),
    ],
)
def test_anything_else_takes_a_closer_look(answer: bytes) -> None:
    assert ordinary(answer, KEY, OFFERED) is None


LINES = st.sampled_from(
    [
        *USUAL,
        b"Upgrade:websocket ",
        b"Upgrade: websocket, websocket",
        b"Connection: close",
        b"connection:  UPGRADE",
        b"Sec-WebSocket-Accept: ",
        b"Sec-WebSocket-Protocol: json",
        b"sec-websocket-protocol: chat.v2",
        b"Sec-WebSocket-Protocol: ",
        b"Sec-WebSocket-Protocol: json,",
        b"Sec-WebSocket-Extensions: ",
        b"Sec-WebSocket-Version: 13",
        b"Content-Length: 5",
        b"Transfer-Encoding: chunked",
    ]
)
ODD = st.binary(max_size=6)


@given(
    st.lists(LINES | ODD, max_size=4),
    st.permutations(USUAL),
    st.sampled_from(
        [FIRST, b"HTTP/1.1 101 ", b"HTTP/1.1 101 \x7f", b"HTTP/1.1 1010 Odd", b"HTTP/1.1 102 No"]
    ),
    st.none() | st.tuples(st.integers(0, 200), st.integers(0, 255)),
)
@example([], USUAL, FIRST, None)
@example([b"Sec-WebSocket-Protocol: json"], USUAL, FIRST, None)
def test_what_is_recognized_the_library_accepts_too(
    added: list[bytes], usual: list[bytes], first: bytes, change: tuple[int, int] | None
) -> None:
    answer = bytearray(head(*usual, *added, first=first))
    if change is not None and change[0] < len(answer):
        answer[change[0]] = change[1]
    found = ordinary(bytes(answer), KEY, OFFERED)
    if found is not None:
        assert judged(bytes(answer)) == (*found, [])


@pytest.mark.parametrize("compressed", [False, True])
def test_the_request_is_the_librarys_with_a_key_of_its_own(compressed: bool) -> None:
    def handshake() -> Handshake:
        headers = Headers([("X-One", "1"), ("X-One", "2")])
        return Handshake(URI, headers=headers, subprotocols=OFFERED, compression=compressed)

    def without_key(request: bytes) -> tuple[bytes, bytes]:
        lines = request.split(b"\r\n")
        (line,) = (line for line in lines if line.startswith(b"Sec-WebSocket-Key: "))
        return b"\r\n".join(each for each in lines if each != line), line

    (one, key), (other, other_key) = (without_key(handshake().request_bytes()) for _ in range(2))
    assert one == other and key != other_key
    assert len(key) == len(other_key) == len("Sec-WebSocket-Key: ") + 24
    protocol = ClientProtocol(URI, subprotocols=list(OFFERED), logger=QUIET)  # type: ignore[arg-type]
    request = protocol.connect()
    request.headers.update([("X-One", "1"), ("X-One", "2")])
    protocol.send_request(request)
    lines, _ = without_key(b"".join(protocol.data_to_send()))
    offer = [line for line in one.split(b"\r\n") if not line.startswith(b"Sec-WebSocket-Extensions: ")]
    assert offer == lines.split(b"\r\n")
    assert (b"permessage-deflate" in one) is compressed


def test_a_key_of_another_handshake_is_refused() -> None:
    one, other = (Handshake(URI, headers=Headers()) for _ in range(2))
    key = other.request_bytes().split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    with pytest.raises(InvalidHandshake, match="Sec-WebSocket-Accept"):
        one.receive(head(UPGRADE, CONNECTION, b"Sec-WebSocket-Accept: " + accept_of(key)))
    assert other.receive(head(UPGRADE, CONNECTION, b"Sec-WebSocket-Accept: " + accept_of(key)) + b"x") == b"x"
