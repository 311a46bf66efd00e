"""What is fuzzed: by name, how inputs are made, and what must hold of every one.

A target's ``run`` takes an input and raises nothing: what its subject documents to raise is expected inside,
and what else is documented (that a value written is read again, say) is asserted.
"""

from __future__ import annotations

import contextlib
import functools
import io
import random
import re
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fuzz import frames, stored
from fuzz.mutating import Mutator
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.uri import parse_uri
from websockets.utils import accept_key

from wsload.errors import UsageError
from wsload.judge.figures.summary import summarize
from wsload.judge.run.grammar import parse_check
from wsload.load.options import tls
from wsload.load.options.settings import Settings
from wsload.load.ws.failures import failure_kind
from wsload.load.ws.handshake import Handshake, Refused
from wsload.load.ws.redirects import BadRedirect, target_of
from wsload.load.ws.url import resolve_url, unix_target
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.protocols.chat import names as chat
from wsload.protocols.chat.conversation import token
from wsload.protocols.chat.conversation.mdn import ChatSession
from wsload.protocols.chat.conversation.session import Identified, Joined, Post
from wsload.protocols.chat.probe.result import ProbeResult
from wsload.redact import redact_url
from wsload.results import counters, hlog
from wsload.results.run import RunInfo
from wsload.server.faults import parse_faults

chat.use()
DATA: Final = Path(__file__).parents[1] / "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One subject."""

    run: Callable[[bytes], object]
    seeds: Sequence[bytes] = ()
    words: Sequence[bytes] = ()
    make: Callable[[random.Random], bytes] | None = None
    """Makes an input from nothing, where changing known ones would be too slow in finding legal ones."""

    def inputs(self, seed: int) -> Callable[[], bytes]:
        """What makes one input after the other."""
        if self.make is not None:
            make, rng = self.make, random.Random(seed)
            return lambda: make(rng)
        return Mutator(self.seeds, self.words, seed).next


def text_of(data: bytes) -> str:
    """As a command line or an environment variable has it."""
    return data.decode("utf-8", "surrogateescape")


tls.trusting = functools.cache(tls.trusting)  # the system's certificates need not be read for each input
CLOCK, SENDER = "0123abcd", "abc123000001"


def chat(data: bytes) -> None:
    """A conversation, a message a line: never raises, and answers each of its posts once at most."""
    session, answered = ChatSession("user-1", clock=CLOCK, sender=SENDER), 0
    for line in data.split(b"\n"):
        event = session.receive(line)
        if isinstance(event, Identified):
            session.login(0)
        elif isinstance(event, Joined):
            for _ in range(2):
                post, said = session.post("hi", date_ms=0, due_ns=1, sent_ns=2)
                assert isinstance(post, Post) and token.read(said) is not None
        answered += type(event).__name__ == "Echo"
        str(event)
    assert answered <= 2 and len(session.pending) <= 2


def read_token(data: bytes) -> None:
    found = token.read(data)
    if found is not None:
        clock, sender, number, sent_ns = found
        made = token.mint(clock.decode(), sender.decode(), number, sent_ns).encode()
        assert made in data and token.read(made) == found


class InMemory:
    """A path whose file is these bytes: what `pathlib.Path` is asked for by the readers of logs."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def open(self, _: str = "rb") -> io.BytesIO:
        return io.BytesIO(self._data)

    def is_file(self) -> bool:
        return True

    def __str__(self) -> str:
        return "a log"


def log(data: bytes) -> None:
    from wsload.errors import ResultsError

    with contextlib.suppress(ResultsError):
        for line in hlog.read(InMemory(data)):  # type: ignore[arg-type]
            line.histogram.percentiles((50.0, 99.9))
            assert line.histogram.total >= 0


def counts(data: bytes) -> None:
    from wsload.errors import ResultsError

    with contextlib.suppress(ResultsError):
        lines = list(counters.read(InMemory(data)))  # type: ignore[arg-type]
        for line in lines:
            counters.line(line.interval, line.histograms)
        summarize(Totals.of(line.interval for line in lines)).to_json()


def run_json(data: bytes) -> None:
    try:
        info = RunInfo.from_json(data)
    except ValueError:
        return
    again = RunInfo.from_json(info.to_json())  # its times are cut to the millisecond
    assert RunInfo.from_json(again.to_json()) == again


def histogram(data: bytes) -> None:
    try:
        found = Histogram.decode(data)
    except ValueError:
        return
    assert Histogram.decode(found.encode()) == found


def probe_line(data: bytes) -> None:
    try:
        found = ProbeResult.from_json(data)
    except ValueError:
        return
    ProbeResult.from_json(found.to_json())


def check(data: bytes) -> None:
    try:
        found = parse_check(text_of(data))
    except UsageError:
        return
    assert parse_check(found.expression) == found


def url(data: bytes) -> None:
    first, _, host = text_of(data).partition("\n")
    for given, base in ((first, None), (first, host or None)):
        shown = redact_url(given)
        assert shown.isprintable() or not given.isprintable()
        try:
            found = resolve_url(given, base)
        except UsageError:
            continue
        assert found.startswith(("ws://", "wss://", "ws+unix://")) and "#" not in found
        assert resolve_url(found) == found
        inner = unix_target(found)
        parse_uri(inner[1] if inner else found)
        redact_url(found)


def secret_url(data: bytes) -> None:
    """A password and a token, wherever the rest of the URL leads a reader astray, are not shown."""
    host, _, path = text_of(data).partition("\n")
    if any(character in host for character in "/?#\\@") or not host.isprintable():
        return
    shown = redact_url(f"wss://me:hunter2-hunter2@{host}/{path}?token=s3cr3t-s3cr3t&a=b")
    assert "hunter2-hunter2" not in shown
    if not set(path) & set("?#&;="):
        assert "s3cr3t-s3cr3t" not in shown


NAMES: Final = ("ws_url", "ws_subprotocol", "ws_rate", "ws_max_in_flight", "ws_message_timeout", "ws_ping", "ws_header",
                "ws_cookie", "ws_basic", "ws_bearer", "ws_origin", "ws_proxy", "ws_connect_to", "ws_source_ip",
                "ws_max_message", "ws_check", "ws_warm_up", "ws_tolerance", "ws_prometheus", "ws_build")  # fmt: skip
MANY: Final = frozenset(("ws_subprotocol", "ws_header", "ws_cookie", "ws_source_ip", "ws_check"))


def options(data: bytes) -> None:
    """One option: the first byte chooses it."""
    name = NAMES[data[0] % len(NAMES)] if data else NAMES[0]
    text = text_of(data[1:])
    try:
        settings = Settings.of(Namespace(**{name: [text] if name in MANY else text}))
    except UsageError:
        return
    with contextlib.suppress(UsageError):
        settings.target("/", "ws://127.0.0.1:1")
    for header, value in settings.opening.headers:
        assert not set("\r\n\0") & set(header + value)


def handshake(data: bytes) -> None:
    """A server's answer to an upgrade, in two pieces; what goes wrong has a kind, in one short line."""
    shaken = Handshake(parse_uri("ws://127.0.0.1:1/"), headers=Headers(), compression=True)
    (key,) = re.findall(rb"Sec-WebSocket-Key: (\S+)", shaken.request_bytes())
    data = data.replace(b"ACCEPT", accept_key(key.decode()).encode())
    half = len(data) // 2
    error: BaseException | None = None
    try:
        if shaken.receive(data[:half]) is None and shaken.receive(data[half:]) is None:
            error = shaken.end()
    except InvalidHandshake as found:
        error = found
    except Exception as found:
        error = found
    if error is not None:
        kind, detail = failure_kind(error)
        assert kind != type(error).__name__, error
        assert len(kind) < 60 and kind.isprintable() and "\n" not in detail, (kind, detail)
        assert detail.isprintable(), detail
    if isinstance(error, Refused):
        with contextlib.suppress(BadRedirect):
            target = target_of(error, "ws://127.0.0.1:1/a?b=c")
            assert target is None or target.startswith(("ws://", "wss://", "ws+unix://"))


def faults(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        parse_faults(text_of(data).split("\n"))


def _stored() -> dict[str, bytes]:
    (old,) = (DATA / "schema-1").iterdir()
    return {path.name: path.read_bytes() for path in old.iterdir()}


OLD: Final = _stored()
LONG: Final = 4000
SOME: Final = Histogram.of([1_000_000, 2_000_000, 3_500_000_000])
LINE: Final = (
    hlog.header(0)
    + hlog.line(None, SOME, offset_ms=0, length_ms=1000)
    + hlog.line("buy a, book", SOME, offset_ms=1, length_ms=9)
)
COUNTS: Final = counters.line(Interval(start_s=1.0, length_s=1.0, counters={"sent": 3}, gauges={"users": 2},
                                       failures={("open", "refused"): 1}, closes={1006: 2}), 2)  # fmt: skip
TOKEN: Final = token.mint(CLOCK, SENDER, 0, 77)
ANSWER: Final = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n"
SHOWN: Final = (b"message.p99 < 50ms", b"lost < 1", b'"sub first".p99.9 <= 0.5s', b"failures.rate <= 0.1%",
                b"message.rate > 100", b"bytes_in < 3MiB", b"users > 3")  # fmt: skip

TARGETS: Final[dict[str, Target]] = {
    "frames": Target(run=frames.run, make=frames.make),
    "chat": Target(
        run=chat,
        seeds=(
            b'{"type":"id","id":1}\n{"type":"username","name":"user-1","id":1}\n{"type":"message","text":"hi %b"}'
            % TOKEN.encode(),
            b'{"type":"id","id":"x"}\n{"type":"rejectusername","id":"x","name":"b"}\n{"type":"username","name":"b"}',
            b'{"type":"userlist","users":["a"]}\n{"type":"weather"}\n[1]',
        ),
        words=(b'"type":', b'"id"', b'"name":', b'"text":', b"~ws.", TOKEN.encode(), b"\n"),
    ),
    "tokens": Target(run=read_token, seeds=(TOKEN.encode(), b"hi " + TOKEN.encode() * 2), words=(b"~ws.", b"~", b".")),
    "log": Target(run=log, seeds=(OLD["histograms.hlog"][:LONG], LINE), words=(b"Tag=", b"HISTF", b"#[", b",", b"\n")),
    "counters": Target(run=counts, seeds=(OLD["counters.jsonl"][:LONG], COUNTS), words=(b'"t":', b'"failures":', b": ", b"\n")),
    "run.json": Target(run=run_json, seeds=(OLD["run.json"],), words=(b'"schema": ', b"2", b'"trust": ', b'"window": ')),
    "run.json-values": Target(run=run_json, make=stored.changed(stored.RUN)),
    "experiment.json": Target(run=stored.experiment, make=stored.changed(stored.EXPERIMENT)),
    "capacity.json": Target(run=stored.capacity, make=stored.changed(stored.CAPACITY)),
    "server.json": Target(run=stored.server, make=stored.changed(stored.FIGURES)),
    "histogram": Target(run=histogram, seeds=(SOME.encode(), Histogram().encode()), words=(b"HISTF", b"HISTFAA", b"=")),
    "probe": Target(run=probe_line, seeds=(ProbeResult(histogram=SOME, sent=3).to_json().encode(),), words=(b'"sent": ',)),
    "checks": Target(run=check, seeds=SHOWN, words=(b"p99", b".", b"<", b">=", b"ms", b"%", b" ", b'"', b".rate", b".lost")),
    "urls": Target(
        run=url,
        seeds=(b"/chat?room=1\nws://127.0.0.1:8000/x", b"wss://u:p@[::1]:1/a?token=b", b"ws+unix:///a.sock:/b?c\n", b"a\nb:1",
               b"https://example.org\nhttp://x", b"//host/p\nwss://y"),
        words=(b"ws://", b"wss://", b"ws+unix://", b"http://", b"[::1]", b"@", b":", b"?", b"#", b"..", b"\n"),
    ),
    "secrets": Target(run=secret_url, seeds=(b"host:1\na/b", b"[::1]\n", b"h\na;b"), words=(b":", b"[", b"]", b"%40", b"\n")),
    "options": Target(
        run=options,
        seeds=tuple(bytes((place,)) + text for place in range(len(NAMES)) for text in
                    (b"/", b"json", b"poisson:10", b"1MiB", b"20s", b"off", b"A: b", b"a=b", b"u:p", b"https://h", b"http://h:1",
                     b"[::1]:80", b"10.0.0.1", b"ramp", b"lost < 1", b":0")),
        words=(b":", b"=", b";", b",", b"ms", b"KiB", b"[", b"]"),
    ),
    "handshakes": Target(
        run=handshake,
        seeds=(ANSWER, b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nok", b"\x15\x03\x01\x00\x02\x02\x46",
               b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\n\r\n"),
        words=(b"\r\n", b": ", b"HTTP/1.1 ", b"200", b"Location: ", b"wss://h/", b"Sec-WebSocket-Extensions: permessage-deflate",
               b"Sec-WebSocket-Protocol: a", b"Transfer-Encoding: chunked", b"Content-Length: ", b"ACCEPT"),
    ),
    "faults": Target(run=faults, seeds=(b"delay=5ms\nstall=200ms/2s\ndrop=1%", b"close=1006/10s", b"capacity=exp:500/s"), words=(b"=", b"/", b"%", b"ms", b"/s")),
}  # fmt: skip
