"""The goals for wsload. The limits are the project's own; the README says where they are missed."""

from __future__ import annotations

from typing import Final

from benchmarks.cases import fan_in, honesty, memory, opening, round_trip, sizes
from benchmarks.figures import YARDSTICK, Goal

GOALS: Final = (
    *(
        Goal(
            text=f"a round trip compared with bare websockets, {round_trip.setting(connections)}",
            place=round_trip.cpu(round_trip.WSLOAD, connections),
            to=round_trip.cpu(YARDSTICK, connections),
            limit=1.0,
            reach=0.85,
        )
        for connections in (50, 500)
    ),
    *(
        Goal(
            text=f"a matched, named request compared with bare websockets, {round_trip.setting(connections)}",
            place=round_trip.cpu(round_trip.MATCHED, connections),
            to=round_trip.cpu(YARDSTICK, connections),
            limit=0.65,
        )
        for connections in (50, 500)
    ),
    *(
        Goal(
            text=f"a round trip compared with Locust on websocket-client, {round_trip.setting(connections)}",
            place=round_trip.cpu(round_trip.WSLOAD, connections),
            to=round_trip.cpu(round_trip.WEBSOCKET_CLIENT, connections),
            limit=0.45,
        )
        for connections in (50, 500)
    ),
    *(
        Goal(
            text=f"a round trip compared with k6/ws, {round_trip.setting(connections)}",
            place=round_trip.cpu(round_trip.WSLOAD, connections),
            to=round_trip.cpu(round_trip.K6_WS, connections),
            limit=1.0,
            reach=reach,
        )
        for connections, reach in ((50, 0.45), (500, 0.28))
    ),
    *(
        Goal(
            text=f"the p99 shown compared with the server's account, {rate:,}/s: off by",
            place=honesty.off(honesty.WSLOAD, rate),
            limit=10.0,
        )
        for rate in honesty.RATES
    ),
    Goal(
        text="a round trip of 16 MiB compared with bare websockets",
        place=sizes.cpu(round_trip.WSLOAD, "16 MiB"),
        to=sizes.cpu(YARDSTICK, "16 MiB"),
        limit=1.5,
        reach=1.1,
    ),
    *(
        Goal(
            text=f"a delivery compared with a round trip, {users} users, both at full speed",
            place=fan_in.cpu(users, posts),
            to=round_trip.cpu(round_trip.WSLOAD, users),
            limit=0.35,
        )
        for users, posts in fan_in.FULL_SPEED
    ),
    Goal(
        text="100 users posting once a second: % of a core",
        place=fan_in.share(100, 100),
        limit=25.0,
    ),
    Goal(text="opened (and closed) per second over ws", place=opening.rate("ws"), limit=2500.0, least=True),
    Goal(
        text="KiB per idle user who is logged in, 5,000 at once",
        place=memory.place(memory.AT_ONCE),
        limit=30.0,
        reach=22.0,
    ),
)
