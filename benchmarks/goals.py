"""The goals for wsload: a limit that must hold, and a reach to aim at. The README says how far off each is, and why."""

from __future__ import annotations

from typing import Final

from benchmarks.cases import fan_in, honesty, memory, opening, pacing, round_trip, sizes
from benchmarks.figures import YARDSTICK, Goal

_ROUND_TRIPS: Final = (
    ("a round trip compared with bare websockets", round_trip.WSLOAD, YARDSTICK, 1.0, (0.55, 0.50)),
    (
        "a matched, named request compared with bare websockets",
        round_trip.MATCHED,
        YARDSTICK,
        1.0,
        (0.60, 0.60),
    ),
    (
        "a round trip compared with Locust on websocket-client",
        round_trip.WSLOAD,
        round_trip.WEBSOCKET_CLIENT,
        0.45,
        (None, None),
    ),
    ("a round trip compared with k6/ws", round_trip.WSLOAD, round_trip.K6_WS, 1.0, (0.45, 0.28)),
)
"""What is compared, whose CPU with whose, the limit, and the reaches for 50 and 500 connections."""

GOALS: Final = (
    *(
        Goal(
            text=f"{text}, {round_trip.setting(connections)}",
            place=round_trip.cpu(subject, connections),
            to=round_trip.cpu(to, connections),
            limit=limit,
            reach=reach,
        )
        for text, subject, to, limit, reaches in _ROUND_TRIPS
        for connections, reach in zip((50, 500), reaches, strict=True)
    ),
    *(
        Goal(
            text=f"the p99 shown compared with the server's account, {rate:,}/s: off by",
            place=honesty.off(honesty.WSLOAD, rate),
            limit=10.0,
        )
        for rate in honesty.RATES
    ),
    *(
        Goal(
            text=f"a round trip of {size} compared with bare websockets",
            place=sizes.cpu(round_trip.WSLOAD, size),
            to=sizes.cpu(YARDSTICK, size),
            limit=1.5,
            reach=1.1,
        )
        for size in ("16 MiB", "64 MiB")
    ),
    *(
        Goal(
            text=f"a delivery compared with bare websockets' round trip, {users} users, both at full speed",
            place=fan_in.cpu(users, posts),
            to=round_trip.cpu(YARDSTICK, users),
            limit=0.35,
            reach=reach,
        )
        for (users, posts), reach in zip(fan_in.FULL_SPEED, (0.22, 0.15), strict=True)
    ),
    Goal(
        text="100 users posting once a second: % of a core",
        place=fan_in.share(100, 100),
        limit=25.0,
    ),
    Goal(text="opened (and closed) per second over ws", place=opening.rate("ws"), limit=2500.0, least=True),
    Goal(
        text="an opening and closing compared with bare websockets, ws",
        place=opening.cpu("ws"),
        to=opening.cpu("ws", YARDSTICK),
        limit=2.0,
        reach=1.1,
    ),
    *(
        Goal(
            text=f"trusted up to which percentile, {rate:,} messages/s",
            place=pacing.trusted(rate),
            limit=limit,
            reach=99.0,
            least=True,
        )
        for rate, limit in ((10_000, 90.0), (pacing.MOST, 0.0))
    ),
    *(
        Goal(
            text=f"KiB per idle user who is logged in, {setting}",
            place=memory.place(setting),
            limit=limit,
            reach=reach,
        )
        for setting, limit, reach in ((memory.AT_ONCE, 20.0, 12.0), (memory.RAMPED, 14.0, 9.0))
    ),
)
