"""What wsload is to reach. The limits are the project's own; the README says where they are missed."""

from __future__ import annotations

from typing import Final

from benchmarks.cases import fan_in, memory, opening, round_trip
from benchmarks.figures import YARDSTICK, Goal

GOALS: Final = (
    *(
        Goal(
            text=f"a round trip beside one of bare websockets, {round_trip.setting(connections)}",
            place=round_trip.cpu(round_trip.WSLOAD, connections),
            to=round_trip.cpu(YARDSTICK, connections),
            limit=1.0,
            reach=0.85,
        )
        for connections in (50, 500)
    ),
    *(
        Goal(
            text=f"a round trip beside one of Locust on websocket-client, {round_trip.setting(connections)}",
            place=round_trip.cpu(round_trip.WSLOAD, connections),
            to=round_trip.cpu(round_trip.WEBSOCKET_CLIENT, connections),
            limit=0.45,
        )
        for connections in (50, 500)
    ),
    *(
        Goal(
            text=f"a delivery beside a round trip, {users} users, both at full speed",
            place=fan_in.cpu(users, posts),
            to=round_trip.cpu(round_trip.WSLOAD, users),
            limit=0.35,
        )
        for users, posts in fan_in.FULL_SPEED
    ),
    Goal(
        text="100 users, one post each a second: % of a core",
        place=fan_in.share(100, 100),
        limit=25.0,
    ),
    Goal(text="opened (and closed) a second over ws", place=opening.rate("ws"), limit=2500.0, least=True),
    Goal(
        text="KiB for an idle user who is logged in, 5,000 at once",
        place=memory.place(memory.AT_ONCE),
        limit=30.0,
        reach=22.0,
    ),
)
