"""``wsload serve``: the embedded chat server as a command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def serve(
    host: Annotated[
        str,
        typer.Option(
            metavar="HOST",
            help="Name or address to listen on; beyond loopback, anyone on the network can join.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port to listen on; 0 for a free one.")
    ] = 8765,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate chain (PEM), to serve wss://.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its key (PEM), if it is not in the same file.")
    ] = None,
    quiet_roster: Annotated[
        bool,
        typer.Option(
            "--quiet-roster",
            help="For large rooms: announce a login only to the newcomer (with the newest 100 names), and a "
            "leave to nobody.",
        ),
    ] = False,
    compression: Annotated[
        bool, typer.Option("--compression", help="Accept permessage-deflate when a client offers it.")
    ] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=VALUE",
            help="Inject a fault (repeatable): stall=200ms/2s, delay=5ms, delay=exp:5ms, late=2%@20ms, "
            "capacity=500/s, capacity=exp:500/s, drop=0.1%, duplicate=1%, reorder=1%, garbage=1%, refuse=10%, "
            "slow-handshake=1s, close=1011@30s.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the faults' random decisions.")] = 1,
    truth: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what was done with each post to this file, as JSON lines."),
    ] = None,
    account: Annotated[
        bool, typer.Option("--account", help="At the end, print the totals as a line of JSON.")
    ] = False,
    until_eof: Annotated[
        bool, typer.Option("--until-eof", hidden=True, help="Stop at the end of standard input.")
    ] = False,
) -> None:
    """Run a WebSocket chat server, as a target for load tests or to try things out.

    It speaks the protocol of the chat in MDN's WebSocket guide, with the subprotocol "json", which clients
    must offer. Open its address in a browser to join the room and watch. Stop it with Ctrl-C.
    """
    from wsload.server.options import READY_PREFIX, ServerOptions
    from wsload.server.run import is_loopback, run

    if not is_loopback(host):
        print(
            f"wsload serve: {host} is not a loopback address: anyone who can reach it can join and load this room",
            file=sys.stderr,
        )
    options = ServerOptions(
        host=host,
        port=port,
        tls_cert=tls_cert,
        tls_key=tls_key,
        quiet_roster=quiet_roster,
        compression=compression,
        faults=tuple(fault or ()),
        seed=seed,
        truth=truth,
    )
    totals = run(options, ready=lambda url: print(READY_PREFIX + url, flush=True), until_eof=until_eof)
    if account:
        print(json.dumps({"account": totals.as_dict()}), flush=True)
