from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
from support import hostile
from support.certificates import Certificates
from support.serving import Serving, TcpHandler
from support.waiting import until
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from wsload.commands.harness.handshake import SETTLED_S, NoHandshake, check_handshake, settled_s, verifying


class Visitors:
    """A handler that remembers how its visitors left."""

    def __init__(self) -> None:
        self.codes: list[int | None] = []
        self.subprotocols: list[str | None] = []

    async def __call__(self, connection: ServerConnection) -> None:
        try:
            await connection.recv()
        except ConnectionClosed as closed:
            self.codes.append(closed.rcvd.code if closed.rcvd else None)
            self.subprotocols.append(connection.subprotocol)


@pytest.mark.parametrize(("spoken", "agreed"), [(None, None), (["json"], "json"), (["chat"], "chat")])
def test_a_server_that_answers_is_left_in_order(
    serving: Serving, spoken: list[str] | None, agreed: str | None
) -> None:
    visitors = Visitors()
    port = serving.websocket(visitors, subprotocols=spoken)
    check_handshake(f"ws://127.0.0.1:{port}/chat?x=1", subprotocols=("json", "chat"), timeout_s=20)
    until(lambda: visitors.codes, what="the close")
    assert visitors.codes == [1005]  # a close frame without a code: the connection was not dropped
    assert visitors.subprotocols == [agreed]


def test_a_server_that_wants_another_subprotocol_is_quoted(serving: Serving) -> None:
    port = serving.websocket(Visitors(), subprotocols=["soap"])
    with pytest.raises(NoHandshake, match=r"'400 Bad Request' .* .offered subprotocols: json") as caught:
        check_handshake(f"ws://127.0.0.1:{port}/", subprotocols=("json",), timeout_s=20)
    assert caught.value.status == 400


def test_who_can_not_prove_who_it_is_is_sent_nothing_but_is_up(
    serving: Serving, certificates: Certificates
) -> None:
    heads: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.read(1000))
        writer.close()

    port = serving.tcp(listen, tls=certificates.server_context())
    check_handshake(f"wss://127.0.0.1:{port}/?token=s3cret", timeout_s=20)
    assert heads in ([], [b""])
    with pytest.raises(NoHandshake):
        check_handshake(f"wss://127.0.0.1:{port}/", tls=verifying("", insecure=True), timeout_s=20)
    until(lambda: heads, what="the request")


@pytest.mark.parametrize("insecure", [True, False])
def test_a_certificate_is_verified_as_the_load_will(
    serving: Serving, certificates: Certificates, insecure: bool
) -> None:
    visitors = Visitors()
    port = serving.websocket(visitors, ssl=certificates.server_context())
    tls = verifying("nowhere.pem" if insecure else str(certificates.authority), insecure=insecure)
    check_handshake(f"wss://127.0.0.1:{port}/", tls=tls, timeout_s=20)
    until(lambda: visitors.codes, what="the close")


def test_an_authority_that_can_not_be_read_is_left_to_the_load() -> None:
    assert verifying("nowhere.pem", insecure=False).verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("code", [401, 403])
def test_one_that_asks_who_is_there_is_up(serving: Serving, code: int) -> None:
    check_handshake(f"ws://127.0.0.1:{serving.tcp(hostile.status(code))}/", timeout_s=20)


@pytest.mark.parametrize(
    ("handler", "said", "status"),
    [
        (hostile.status(503), "it answered '503 Whatever' instead of 101", 503),
        (hostile.status(200), "it answered '200 Whatever'", 200),
        (hostile.raw_garbage, "no HTTP response", 0),
        (hostile.wrong_accept, "Sec-WebSocket-Accept does not match our key", 0),
        (hostile.cut_response, "Sec-WebSocket-Accept does not match", 0),
        (hostile.hang_up, "closed connection without response", 0),
    ],
)
def test_what_else_a_server_does_is_named(
    serving: Serving, handler: TcpHandler, said: str, status: int
) -> None:
    with pytest.raises(NoHandshake, match=said) as caught:
        check_handshake(f"ws://127.0.0.1:{serving.tcp(handler)}/", timeout_s=20)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("status", "url_known", "subprotocols_known", "wanted"),
    [
        (400, False, False, 0.0),
        (400, False, True, 0.0),
        (400, True, False, 0.0),  # the subprotocols are the user class's
        (400, True, True, None),
        (404, False, False, SETTLED_S),
        (404, False, True, SETTLED_S),
        (404, True, False, None),
        (200, False, False, SETTLED_S),
        (301, False, False, SETTLED_S),
        (502, False, False, None),  # a proxy, say, before a server that is still starting
        (503, False, False, None),
        (0, False, False, None),  # no HTTP response
    ],
)
def test_a_refusal_counts_where_what_is_not_known_may_be_the_reason(
    status: int, url_known: bool, subprotocols_known: bool, wanted: float | None
) -> None:
    assert settled_s(status, url_known=url_known, subprotocols_known=subprotocols_known) == wanted


def test_a_port_that_only_listens_is_not_ready() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(NoHandshake, match="no answer in time"),
    ):
        check_handshake(f"ws://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.05)


def test_a_port_that_nobody_listens_on_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(NoHandshake, match="refused"):
            check_handshake(f"ws://127.0.0.1:{taken.getsockname()[1]}/", timeout_s=20)
