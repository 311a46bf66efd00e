"""Whatever a server does: a named failure row and counter, and a results directory; no flood, no hang."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import hostile
from support.certificates import Certificates
from support.hostile import chat, raw, stubborn
from support.locust_run import LOCUSTFILES, LocustRun
from support.serving import Serving, TcpHandler
from support.visits import ANYWHERE, Visits, assert_sound
from websockets.asyncio.server import ServerConnection

MAX_OPENS = 12
"""So often a user may try to open within three seconds, with backoff."""

# Servers to which no connection opens

OPENING = {
    "UnknownHost": "open: dns",
    "Refused": "open: refused",
    "Status200": "open: bad status 200",
    "Status404": "open: bad status 404",
    "Status503": "open: bad status 503",
    "NoSubprotocol": "open: subprotocol",
    "AnotherSubprotocol": "open: subprotocol",
    "RawGarbage": "open: bad handshake",
    "WrongAccept": "open: bad handshake",
    "CutResponse": "open: hung up",
    "HangUp": "open: hung up",
    "TlsForPlain": "open: hung up",
    "Silent": "open: timeout",
    "PlainForTls": "open: timeout",
    "Untrusted": "open: tls",
}


@pytest.fixture(scope="module")
def opening(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Visits:
    tls = certificates.server_context()
    with Serving() as serving:

        def tcp(handler: TcpHandler, **settings: object) -> str:
            return f"ws://127.0.0.1:{serving.tcp(handler, **settings)}/"

        def websocket(**settings: object) -> str:
            return f"ws://127.0.0.1:{serving.websocket(hostile.never_id, **settings)}/"

        servers = {
            "UnknownHost": "ws://nobody.invalid/",
            "Refused": f"ws://127.0.0.1:{serving.free_port()}/",
            "Status200": tcp(hostile.status(200)),
            "Status404": tcp(hostile.status(404)),
            "Status503": tcp(hostile.status(503)),
            "NoSubprotocol": websocket(),
            "AnotherSubprotocol": websocket(
                subprotocols=["json"], select_subprotocol=lambda connection, offered: "xml"
            ),
            "RawGarbage": tcp(hostile.raw_garbage),
            "WrongAccept": tcp(hostile.wrong_accept),
            "CutResponse": tcp(hostile.cut_response),
            "HangUp": tcp(hostile.hang_up),
            "TlsForPlain": tcp(hostile.silent, tls=tls),
            "Silent": tcp(hostile.silent),
            "PlainForTls": tcp(hostile.silent).replace("ws:", "wss:"),
            "Untrusted": tcp(hostile.silent, tls=tls).replace("ws:", "wss:"),
        }
        return Visits(tmp_path_factory.mktemp("opening"), servers, "-t", "3s")


@pytest.mark.xdist_group("bad servers: opening")
@pytest.mark.parametrize(("server", "failure"), OPENING.items())
def test_a_server_that_does_not_open(opening: Visits, server: str, failure: str) -> None:
    assert opening.seen[server].keys() == {failure}
    assert 2 <= opening.seen[server][failure] <= MAX_OPENS


@pytest.mark.xdist_group("bad servers: opening")
def test_the_run_against_servers_that_do_not_open(opening: Visits) -> None:
    assert_sound(opening.finished, OPENING.values())
    tried = sum(sum(seen.values()) for seen in opening.seen.values())
    assert opening.finished.counter("open_failures") == tried
    assert opening.finished.rows["open"].failures == tried


# Servers that take nobody in

LOGIN = {
    "NeverId": {"login: no id", "close 1000"},
    "NeverConfirms": {"login: no confirmation", "close 1000"},
    "WrongId": {"login: no id", "close 1000"},
    "ClosesAtOnce": {"login: closed 1013", "close 1013"},
    "AbortsAtOnce": {"login: closed 1006", "close 1006"},
    "DropsAfterLogin": {"joined", "close 1006"},
}


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Visits:
    handlers = {
        "NeverId": hostile.never_id,
        "NeverConfirms": hostile.never_confirms,
        "WrongId": hostile.wrong_id,
        "ClosesAtOnce": hostile.closes_at_once,
        "AbortsAtOnce": hostile.aborts_at_once,
        "DropsAfterLogin": chat(hostile.echo, on_login=hostile.drop),
    }
    return Visits.of_chats(tmp_path_factory.mktemp("login"), handlers, "-t", "3s")


@pytest.mark.xdist_group("bad servers: login")
@pytest.mark.parametrize(("server", "met"), LOGIN.items())
def test_a_server_that_takes_nobody_in(login: Visits, server: str, met: set[str]) -> None:
    seen = login.seen[server]
    posts = {"message: not connected", "message: closed 1006", "message: reset"}
    assert met <= seen.keys() <= met | posts
    closed = sum(number for what, number in seen.items() if what.startswith("close "))
    assert 2 <= closed <= MAX_OPENS


@pytest.mark.xdist_group("bad servers: login")
def test_the_run_against_servers_that_take_nobody_in(login: Visits) -> None:
    finished = login.finished
    logins = {what for met in LOGIN.values() for what in met if what.startswith("login")}
    expected = {*logins, "close: closed 1013", "close: closed 1006", "message: not a chat message"}
    for kind in ("message: closed 1006", "message: reset", "close: reset"):
        # A post may just have been on its way; the kernel resets a connection on which one was unread.
        finished.failures.pop(kind, None)
        finished.errors.pop(kind, None)
    assert_sound(finished, expected)
    joined = login.seen["DropsAfterLogin"]["joined"]
    assert finished.counter("logins") == finished.count("login") == joined
    assert finished.counter("login_failures") == sum(
        number for seen in login.seen.values() for what, number in seen.items() if what.startswith("login")
    )


# Servers that answer posts in their own way

POSTS = {
    "NotChat": chat(hostile.besides(*hostile.NOT_CHAT)),
    "Unknown": chat(hostile.besides(*hostile.UNKNOWN)),
    "Binary": chat(hostile.besides(b"\x00\x01")),
    "Fragmented": chat(hostile.fragmented),
    "Dribbled": chat(hostile.dribbled),
    "Twice": chat(hostile.twice),
    "Ignore": chat(hostile.ignore),
}


@pytest.fixture(scope="module")
def posts(tmp_path_factory: pytest.TempPathFactory) -> Visits:
    return Visits.of_chats(tmp_path_factory.mktemp("posts"), POSTS, "-t", "3s")


@pytest.mark.xdist_group("bad servers: posts")
@pytest.mark.parametrize("server", sorted(POSTS.keys() - {"Ignore"}))
def test_a_server_whose_oddities_do_not_keep_the_echo_away(posts: Visits, server: str) -> None:
    seen = posts.seen[server]
    assert seen.keys() == {"joined", "answered", "close 1000"}
    assert seen["joined"] == 1
    assert seen["answered"] >= 5


@pytest.mark.xdist_group("bad servers: posts")
def test_a_server_that_never_answers(posts: Visits) -> None:
    seen = posts.seen["Ignore"]
    assert {"joined", "message: timeout"} <= seen.keys()
    assert "answered" not in seen
    assert seen["joined"] == 1
    finished = posts.finished
    timeouts = finished.counter("timeouts")
    # The last may come when its user is already being stopped.
    assert 2 <= seen["message: timeout"] <= timeouts <= seen["message: timeout"] + 1
    assert timeouts <= finished.counter("lost") <= timeouts + 1
    assert finished.count("message.lost") == finished.counter("lost")


@pytest.mark.xdist_group("bad servers: posts")
def test_the_run_against_servers_with_oddities(posts: Visits) -> None:
    finished, seen = posts.finished, posts.seen
    expected = {"message: not a chat message", "message: binary frame", "message: timeout"}
    assert_sound(finished, expected)
    answered = sum(met.get("answered", 0) for met in seen.values())
    assert answered <= finished.count("message") <= answered + len(POSTS)
    assert finished.counter("malformed") >= len(hostile.NOT_CHAT) * seen["NotChat"]["answered"]
    assert finished.counter("malformed") == finished.failures["message: not a chat message"]
    assert finished.counter("binary") == finished.failures["message: binary frame"]
    assert finished.counter("unknown_types") >= len(hostile.UNKNOWN) * seen["Unknown"]["answered"]
    assert finished.counter("duplicates") >= seen["Twice"]["answered"] - 1
    assert finished.counter("out_of_order") == 0


# Servers that answer a post with what no connection survives

FATAL = {
    "InvalidUtf8": (raw(hostile.INVALID_UTF8), "invalid UTF-8"),
    "InvalidUtf8Cut": (raw(hostile.INVALID_UTF8_CUT), "invalid UTF-8"),
    "Masked": (raw(hostile.MASKED), "masked frame"),
    "ReservedOpcode": (raw(hostile.RESERVED_OPCODE), "reserved opcode"),
    "ReservedBit": (raw(hostile.RESERVED_BIT), "reserved bits"),
    "LoneContinuation": (raw(hostile.LONE_CONTINUATION), "unexpected continuation"),
    "LongPing": (raw(hostile.LONG_PING), "long control frame"),
    "ForbiddenCode": (raw(hostile.close_frame(1005)), "bad close code"),
    "Terabyte": (raw(hostile.TERABYTE), "message too big"),
    "Huge": (hostile.huge(100_000), "message too big"),
    "HugeInPieces": (hostile.huge_in_pieces(100_000), "message too big"),
    "Drop": (hostile.drop, "closed 1006"),
    "GoingAway": (raw(hostile.close_frame(1001)), "closed 1001"),
    "OwnCode": (raw(hostile.close_frame(4321)), "closed 4321"),
}


@pytest.fixture(scope="module")
def fatal(tmp_path_factory: pytest.TempPathFactory) -> Visits:
    handlers = {name: chat(on_post) for name, (on_post, _) in FATAL.items()}
    return Visits.of_chats(
        tmp_path_factory.mktemp("fatal"), handlers, "-t", "3s", "--ws-max-message", "64KiB"
    )


@pytest.mark.xdist_group("bad servers: fatal")
@pytest.mark.parametrize(("server", "kind"), [(name, kind) for name, (_, kind) in FATAL.items()])
def test_a_server_that_breaks_the_connection(fatal: Visits, server: str, kind: str) -> None:
    seen = fatal.seen[server]
    code = kind.removeprefix("closed ") if kind.startswith("closed") else "1006"
    assert {"joined", f"message: {kind}", f"close {code}"} <= seen.keys()
    assert seen.keys() <= {"joined", f"message: {kind}", f"close {code}", "close 1000", *ANYWHERE}
    assert 2 <= seen["joined"] <= MAX_OPENS
    assert "answered" not in seen


@pytest.mark.xdist_group("bad servers: fatal")
def test_the_run_against_servers_that_break_the_connection(fatal: Visits) -> None:
    finished = fatal.finished
    kinds = {kind for _, kind in FATAL.values()}
    assert_sound(finished, {f"{what}: {kind}" for what in ("message", "close") for kind in kinds})
    joined = sum(seen["joined"] for seen in fatal.seen.values())
    assert finished.counter("opens") >= finished.counter("logins") == joined
    assert joined - len(FATAL) <= finished.counter("reconnects") <= joined
    assert finished.counter("users_ended") == 0
    assert finished.counter("lost") == finished.count("message.lost") >= len(FATAL)


@pytest.mark.xdist_group("bad servers: stubborn")
def test_a_server_that_never_ends_the_connection_does_not_keep_its_users(tmp_path: Path) -> None:
    handlers = {
        "Closing": chat(stubborn(hostile.close_frame(1001))),
        "Failed": chat(stubborn(hostile.RESERVED_BIT)),
    }
    visits = Visits.of_chats(tmp_path, handlers, "-t", "8s")
    expected = {"close: closed 1001", "close: reserved bits", "message: timeout"}
    assert_sound(visits.finished, expected)
    assert visits.finished.counter("reconnects") >= 2
    assert all(seen["joined"] >= 2 for seen in visits.seen.values())


@pytest.mark.xdist_group("bad servers: neighbours")
def test_failing_tls_handshakes_do_no_harm_to_other_connections(
    tmp_path: Path, serving: Serving, certificates: Certificates
) -> None:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    untrusted = serving.tcp(hostile.silent, tls=certificates.server_context())
    finished = LocustRun(
        *("-f", LOCUSTFILES / "neighbours.py", "--headless", "-u", "10", "-r", "10", "-t", "5s"),
        cwd=tmp_path,
        env={
            "TEST_UNTRUSTED": f"wss://127.0.0.1:{untrusted}/",
            "TEST_ECHO": f"ws://127.0.0.1:{serving.websocket(echo)}/",
        },
    ).finish()
    assert_sound(finished, {"open: tls"})
    assert finished.failures["open: tls"] > 20
    assert finished.count("message") > 20
