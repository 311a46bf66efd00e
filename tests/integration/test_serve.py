"""``wsload serve`` as its users meet it: the real process, a real client, a browser's requests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import ssl
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.certificates import Certificates
from support.guest import guest
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from wsload.protocols.chat.conversation import token
from wsload.server.app import SPARE_FILES
from wsload.server.process import ServerProcess

LIMIT_S = 20


def play(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, LIMIT_S))


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with ServerProcess() as process:
        yield process


def get(url: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    try:
        request = urllib.request.Request(url, method=method)
        with urllib.request.urlopen(request, timeout=LIMIT_S) as response:
            return response.status, dict(response.headers), response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


# The chat


def test_two_users_meet_rename_talk_and_part() -> None:
    async def scene(url: str) -> None:
        async with guest(url, "ada") as ada:
            async with guest(url, "ada") as eve:
                assert ada.name == "ada"
                assert eve.name.startswith("ada")
                assert eve.name != "ada"
                assert [m["type"] for m in eve.got] == ["id", "rejectusername", "userlist", "username"]
                roster = await ada.until(lambda m: m.get("type") == "userlist" and len(m["users"]) == 2)
                assert roster["users"] == ["ada", eve.name]
                await eve.post("to <b>all</b> of you")
                for one in (eve, ada):
                    heard = await one.hears("to all of you")
                    assert heard == {
                        "type": "message",
                        "text": "to all of you",
                        "id": eve.id,
                        "date": 1,
                        "name": eve.name,
                    }
            left = await ada.until(lambda m: m.get("type") == "userlist")
            assert left["users"] == ["ada"]

    with ServerProcess() as server:
        play(scene(server.url))
    assert server.account is not None
    account = {name: count for name, count in server.account.items() if count}
    assert account == {"opens": 2, "logins": 2, "renamed": 1, "posts": 1, "echoed": 1, "deliveries": 1}


def test_a_quiet_room_says_nothing_of_others() -> None:
    async def scene(url: str) -> None:
        async with guest(url, "ada") as ada, guest(url, "eve") as eve:
            assert [m["type"] for m in eve.got] == ["id", "userlist", "username"]
            await eve.post("hi")
            await ada.hears("hi")
            assert [m["type"] for m in ada.got] == ["id", "userlist", "username", "message"]

    with ServerProcess("--quiet-roster") as server:
        play(scene(server.url))


def test_nonsense_is_ignored_and_invalid_utf8_closes_with_1007(server: ServerProcess) -> None:
    async def scene() -> None:
        async with guest(server.url, "clumsy") as clumsy:
            for nonsense in ("{", "[]", '{"type":"dance"}', '{"type":"message"}', b"\x00\xff"):
                await clumsy.connection.send(nonsense)
            await clumsy.post("still here")
            await clumsy.hears("still here")
            await clumsy.connection.send(b'{"type":"\xff"}', text=True)
            assert (await clumsy.until_closed())[0] == 1007

    play(scene())


def test_who_talks_before_the_handshake_is_over_is_not_heard() -> None:
    early = Frame(Opcode.TEXT, b'{"type":"username","name":"early"}').serialize(mask=True)
    with ServerProcess() as server:
        host, port = server.url.removeprefix("ws://").rstrip("/").split(":")
        with socket.create_connection((host, int(port)), timeout=LIMIT_S) as hasty:
            hasty.sendall(
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Protocol: json\r\n\r\n" + early
            )
            said = b""
            while b'"type":"id"' not in said:
                said += hasty.recv(4096)
    assert said.startswith(b"HTTP/1.1 101 ")
    assert server.account is not None
    assert (server.account["logins"], server.account["ignored"]) == (0, 1)


def test_a_fragmented_post_is_a_post_and_a_huge_one_closes_with_1009(server: ServerProcess) -> None:
    async def scene() -> None:
        async with guest(server.url, "piecemeal") as one:
            post = json.dumps({"type": "message", "text": "in pieces", "id": one.id, "date": 1})
            await one.connection.send([post[:7], "", post[7:20], post[20:]])
            await one.hears("in pieces")
            await one.connection.send("x" * 70_000)
            assert (await one.until_closed())[0] == 1009

    play(scene())


def test_a_client_that_does_not_read_is_dropped_before_it_fills_the_memory() -> None:
    async def scene(url: str) -> None:
        async with guest(url, "deaf") as deaf, guest(url, "loud") as loud:
            deaf.connection.transport.pause_reading()
            # 24 MB: more than the server holds for one, and the kernel besides.
            for number in range(400):
                text = "x" * 60_000 + str(number)
                await loud.post(text)
                await loud.hears(text)
            deaf.connection.transport.resume_reading()
            assert (await deaf.until_closed())[0] == 1006

    with ServerProcess() as server:
        play(scene(server.url))
    assert server.account is not None
    assert server.account["overrun"] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are set by Linux only")
def test_a_server_that_may_open_no_more_files_says_so() -> None:
    users = 8

    async def scene(url: str) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for number in range(users):
                await stack.enter_async_context(guest(url, f"user {number}"))
            for _ in range(3):
                with pytest.raises(InvalidStatus, match="HTTP 503"):
                    async with guest(url, "one too many"):
                        pass
        async with guest(url, "when there is room again"):
            pass

    with ServerProcess() as server:
        limit = users + SPARE_FILES
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, limit))
        play(scene(server.url))
    assert server.account is not None
    assert server.account["opens"] == users + 1
    assert server.account["full"] == 3
    assert server.errors.splitlines() == [
        f"wsload serve: full with {users} users: this process may open no more than {limit} files. "
        "Raise its hard limit (ulimit -Hn, LimitNOFILE=). Further users get status 503"
    ]


@pytest.mark.parametrize("offered", [None, ["xml"]])
def test_a_client_that_does_not_offer_json_is_refused(
    server: ServerProcess, offered: list[str] | None
) -> None:
    async def scene() -> None:
        with pytest.raises(InvalidStatus, match="HTTP 400"):
            async with guest(server.url, subprotocols=offered):
                pass

    play(scene())


@pytest.mark.parametrize("ours", [(), ("--compression",)])
def test_compression_is_agreed_to_only_when_asked_for(ours: tuple[str, ...]) -> None:
    async def scene(url: str) -> int:
        async with guest(url, "ada", compression="deflate") as ada, guest(url, "eve") as eve:
            await ada.post("pressed")
            await ada.hears("pressed")
            await eve.hears("pressed")
            return len(ada.connection.protocol.extensions)

    with ServerProcess(*ours) as server:
        assert play(scene(server.url)) == len(ours)


def test_it_speaks_tls(certificates: Certificates) -> None:
    context = ssl.create_default_context(cafile=str(certificates.authority))

    async def scene(url: str) -> None:
        async with guest(url, "ada", ssl=context) as ada:
            await ada.post("in private")
            await ada.hears("in private")

    options = ("--tls-cert", str(certificates.certificate), "--tls-key", str(certificates.key))
    with ServerProcess(*options) as server:
        assert server.url.startswith("wss://127.0.0.1:")
        play(scene(server.url))


# The page


def test_a_browser_gets_a_page_that_may_run_nothing_foreign(server: ServerProcess) -> None:
    status, headers, page = get(server.url.replace("ws://", "http://"))
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = headers["Content-Security-Policy"]
    nonce = policy.partition("script-src 'nonce-")[2].partition("'")[0]
    assert policy.startswith("default-src 'none';")
    assert len(nonce) > 16
    assert page.count(f'nonce="{nonce}"') == 2
    assert "innerHTML" not in page
    assert get(server.url.replace("ws://", "http://"))[1]["Content-Security-Policy"] != policy


def test_there_is_no_other_page_but_any_path_takes_a_websocket(server: ServerProcess) -> None:
    page = server.url.replace("ws://", "http://")
    assert get(page + "favicon.ico")[0] == 404
    assert get(page, method="HEAD")[0] == 405

    async def scene() -> None:
        async with guest(server.url + "some/where?x=1", "elsewhere"):
            pass

    play(scene())


# Faults


def test_what_faults_did_stands_in_the_truth_file_and_is_what_the_client_saw(tmp_path: Path) -> None:
    many = 300

    async def scene(server: ServerProcess) -> list[Any]:
        async with guest(server.url, "ada") as ada:
            for number in range(many):
                await ada.post(token.mint("a" * 8, "b" * 12, number, 0))
            # The pong says that all were received; what was written before the end comes before the close.
            await (await ada.connection.ping())
            stopping = asyncio.to_thread(server.stop)
            (code, _), _ = await asyncio.gather(ada.until_closed(), stopping)
            assert code == 1001
            return ada.got

    path = tmp_path / "truth.jsonl"
    faults = ("drop=10%", "duplicate=10%", "reorder=10%", "garbage=10%", "delay=exp:1ms")
    options = [option for fault in faults for option in ("--fault", fault)]
    with ServerProcess(*options, "--seed", "7", "--truth", str(path)) as server:
        got = play(scene(server))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    start, posts, totals = lines[0], lines[1:-1], lines[-1]
    assert (start["kind"], start["faults"], start["seed"]) == ("start", list(faults), 7)
    assert totals.pop("kind") == "totals"
    assert totals == server.account

    done = Counter(word for post in posts for word in post["done"])
    assert len(posts) == totals["posts"] == many
    for word in ("echoed", "dropped", "duplicated", "reordered", "garbage", "unsent"):
        assert done[word] == totals[word], word
    assert all(done[word] for word in ("dropped", "duplicated", "reordered", "garbage"))
    assert all(post["sent_ns"] - post["received_ns"] >= post["wait_ns"] for post in posts if post["sent_ns"])

    echoes = Counter(m["text"] for m in got if isinstance(m, dict) and m.get("type") == "message")
    for post in posts:
        if post["token"] is not None:
            expected = 0 if post["sent_ns"] is None else 1 + ("duplicated" in post["done"])
            assert echoes[post["token"]] == expected
    assert sum(not (isinstance(m, dict) and "type" in m) for m in got) == totals["garbage"]


def test_every_connection_is_closed_by_order_and_new_ones_are_taken() -> None:
    async def scene(url: str) -> None:
        async with guest(url, "ada") as ada, guest(url) as stranger:
            assert await ada.until_closed() == (1013, "as requested by --fault close")
            assert (await stranger.until_closed())[0] == 1013
        async with guest(url, "ada") as ada:
            assert ada.name == "ada"
            # 1006 is what a client sees when no close frame comes.
            assert await ada.until_closed() == (1006, "")

    with ServerProcess("--fault", "close=1013@1s", "--fault", "close=1006@2s") as server:
        play(scene(server.url))


def test_handshakes_are_refused_and_slow_by_order() -> None:
    async def scene(url: str) -> Counter[str]:
        seen: Counter[str] = Counter()
        for _ in range(40):
            started = asyncio.get_running_loop().time()
            try:
                async with guest(url):
                    seen["opens"] += 1
            except InvalidStatus as refusal:
                seen["refused"] += refusal.response.status_code == 503
            assert asyncio.get_running_loop().time() - started >= 0.01
        return seen

    with ServerProcess("--fault", "refuse=50%", "--fault", "slow-handshake=10ms") as server:
        seen = play(scene(server.url))
    assert server.account is not None
    assert seen["refused"] > 0 < seen["opens"]
    assert seen == {name: server.account[name] for name in ("opens", "refused")}
