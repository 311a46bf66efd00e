"""Visits of a real browser to the example services, recorded as HAR; ``python -m support.recording`` stores them."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.devtools import Page, browser
from support.har import har
from support.npm import install
from support.services import node
from wsload.server.process import ServerProcess

STORED = Path(__file__).parents[1] / "data" / "har"
SLEEP = "var sleep = ms => new Promise(done => setTimeout(done, ms));"


def chat(page: Page) -> None:
    """Joins, and posts two times."""
    page.wait_for("!document.querySelector('#login button').disabled")
    page.value(
        "document.querySelector('#name').value = 'Ada'; document.querySelector('#login').requestSubmit()"
    )
    page.wait_for("!document.querySelector('#say').hidden")
    for number, text in enumerate(("Hello, everybody", 'How\'s "quoting" going?'), start=1):
        page.value(f"{SLEEP} sleep(300)")
        page.value(f"document.querySelector('#text').value = {json.dumps(text)}")
        page.value("document.querySelector('#say').requestSubmit()")
        page.wait_for(f"document.querySelectorAll('#posts li').length == {number}")


def socket_io(page: Page, transports: str = '["websocket"]') -> None:
    """Connects with the real client, and orders three times."""
    page.value(
        "new Promise(done => { const script = document.createElement('script'); "
        "script.src = '/socket.io/socket.io.js'; script.onload = done; document.head.append(script); })"
    )
    page.value(
        f"""(async () => {{ {SLEEP}
        const socket = io({{transports: {transports}, reconnection: false}});
        await new Promise(done => socket.on("connect", done));
        if (socket.io.engine.transport.name != "websocket")
            await new Promise(done => socket.io.engine.once("upgrade", done));
        await sleep(700);
        for (const item of ["silver", "bronze", "gold"]) {{
            await new Promise(done => socket.emit("order", {{item}}, done));
            await sleep(200);
        }}
        socket.disconnect(); }})()"""
    )


def socket_io_upgraded(page: Page) -> None:
    """The same, begun with HTTP polling."""
    socket_io(page, '["polling", "websocket"]')


def graphql(page: Page, client: str = "") -> None:
    """Two queries and a subscription, by the real client of somebody who is logged in."""
    page.value("document.cookie = 'session=s3cr3t-cookie-of-ada'")
    page.value(client + ";window.graphqlWs = graphqlWs; 1")
    page.value(
        f"""(async () => {{ {SLEEP}
        const client = graphqlWs.createClient({{url: location.href.replace("http", "ws"), lazy: false,
            connectionParams: {{authToken: "s3cr3t-of-ada"}}}});
        const all = request => new Promise((done, failed) =>
            client.subscribe(request, {{next() {{}}, error: failed, complete: done}}));
        await all({{query: "query Look {{ book(id: 7) {{ title }} }}", operationName: "Look"}});
        await sleep(250);
        await Promise.all([1, 2].map(id => all({{query: `{{ book(id: ${{id}}) {{ title }} }}`}})));
        await all({{query: "subscription {{ arrival {{ title }} }}"}});
        await client.dispose(); await sleep(50); }})()"""
    )


def json_rpc(page: Page) -> None:
    """Asks for the book and orders, at once and in turn, among pushed prices."""
    page.value(
        f"""(async () => {{ {SLEEP}
        const socket = new WebSocket(location.href.replace("http", "ws")), waiting = new Map();
        await new Promise(done => socket.onopen = done);
        socket.onmessage = event => {{ const found = JSON.parse(event.data); waiting.get(found.id)?.(found); }};
        let id = 0;
        const call = (method, params) => new Promise(done => {{
            id += 1; waiting.set(id, done); socket.send(JSON.stringify({{jsonrpc: "2.0", id, method, params}})); }});
        await call("subscribe", {{channel: "prices"}});
        await sleep(400);
        await Promise.all([call("getBook", {{symbol: "ACME"}}), call("placeOrder", {{symbol: "ACME", quantity: 1}})]);
        await sleep(200);
        await call("getBook", {{symbol: "ACME"}});
        await sleep(100); }})()"""
    )


def record(url: str, visit: Callable[[Page], object]) -> dict[str, Any]:
    """The HAR of a visit to a page."""
    with browser() as page:
        page.open(url, width=1280)
        visit(page)
        page.value("1")
        return har(page.events)


def main() -> None:
    """Stores a recording of each service."""
    STORED.mkdir(parents=True, exist_ok=True)

    def store(name: str, found: dict[str, Any]) -> None:
        (STORED / f"{name}.har").write_text(json.dumps(found, indent=1) + "\n", "utf-8")

    with ServerProcess() as server:
        store("chat", record(server.url.replace("ws", "http", 1), chat))
    with tempfile.TemporaryDirectory() as directory:
        modules = install(Path(directory))
        client = (modules / "graphql-ws" / "umd" / "graphql-ws.js").read_text("utf-8")
        with node("socketio.js", modules) as port:
            page = f"http://127.0.0.1:{port}/socket.io/socket.io.js"
            store("socketio", record(page, socket_io))
            store("socketio-upgraded", record(page, socket_io_upgraded))
        with node("jsonrpc.js", modules) as port:
            store("jsonrpc", record(f"http://127.0.0.1:{port}/", json_rpc))
        with node("graphql.js", modules) as port:
            store("graphql", record(f"http://127.0.0.1:{port}/graphql", lambda page: graphql(page, client)))


if __name__ == "__main__":
    sys.exit(main())
