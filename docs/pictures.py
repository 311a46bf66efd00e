"""Makes the picture of coordinated omission: ``python docs/pictures.py``; a test compares the file with it.

It is calculated, not measured: one user wants to send 20 messages a second to a server that answers within a
millisecond, but for one stall of half a second.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

PICTURE: Final = Path(__file__).parent / "concepts" / "coordinated-omission.svg"
PERIOD_MS, LENGTH_MS, QUICK_MS = 50, 2500, 1.0
STALL_MS: Final = (1000, 1500)
WIDTH, HEIGHT, LEFT = 720, 150, 60
"""Of one panel, in pixels."""
TOP_MS: Final = 550
INK, SOFT, OPEN, CLOSED, LAPSE_RATE = "#1b1f24", "#5c6570", "#2f6fb3", "#c2660c", "#b4231822"

Sent = tuple[int, float]
"""When a message was due, and its response time, in ms."""


def answered_in(sent_ms: float) -> float:
    """How long the server takes for a message that it got then."""
    begin, end = STALL_MS
    return end - sent_ms if begin <= sent_ms < end else QUICK_MS


def open_workload() -> list[Sent]:
    """Every message goes out when it is due."""
    return [(due, answered_in(due)) for due in range(0, LENGTH_MS, PERIOD_MS)]


def closed_workload() -> list[Sent]:
    """The next message waits for the answer, and what was due meanwhile is forgotten."""
    found, free_ms = [], 0.0
    for due in range(0, LENGTH_MS, PERIOD_MS):
        if due >= free_ms:
            found.append((due, answered_in(due)))
            free_ms = due + answered_in(due)
    return found


def percentile(sent: list[Sent], percent: float) -> float:
    """By the nearest rank."""
    values = sorted(value for _, value in sent)
    return values[math.ceil(percent / 100 * len(values)) - 1]


def x(ms: float) -> float:
    """The place of a moment."""
    return LEFT + ms / LENGTH_MS * (WIDTH - LEFT - 20)


def panel(title: str, sent: list[Sent], colour: str, top: int) -> list[str]:
    """One workload's response times over time, with what it missed as hollow circles."""

    def y(ms: float) -> float:
        return top + HEIGHT - 28 - ms / TOP_MS * (HEIGHT - 58)

    begin, end = STALL_MS
    said = f"{title}: {len(sent)} sent, p90 {percentile(sent, 90):.0f} ms"
    parts = [
        f'<text x="{LEFT}" y="{top + 16}" fill="{colour}" font-weight="600">{said}</text>',
        f'<rect x="{x(begin):.1f}" y="{y(TOP_MS):.1f}" width="{x(end) - x(begin):.1f}" '
        f'height="{y(0) - y(TOP_MS):.1f}" fill="{LAPSE_RATE}"/>',
        f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y(0):.1f}" y2="{y(0):.1f}" stroke="{SOFT}"/>',
        *(
            f'<text x="{LEFT - 6}" y="{y(ms) + 4:.1f}" fill="{SOFT}" text-anchor="end">{ms}</text>'
            for ms in (0, 250, 500)
        ),
    ]
    there = {due for due, _ in sent}
    parts += [
        f'<circle cx="{x(due):.1f}" cy="{y(0):.1f}" r="3.5" fill="#ffffff" stroke="{colour}"/>'
        for due in range(0, LENGTH_MS, PERIOD_MS)
        if due not in there
    ]
    parts += [
        f'<circle cx="{x(due):.1f}" cy="{y(value):.1f}" r="3.5" fill="{colour}"/>' for due, value in sent
    ]
    return parts


def picture() -> str:
    """The whole picture, as SVG."""
    parts = [
        *panel("Open workload", open_workload(), OPEN, 0),
        *panel("Closed workload", closed_workload(), CLOSED, HEIGHT),
        f'<text x="{LEFT}" y="{2 * HEIGHT - 4}" fill="{SOFT}">Response time in ms over 2.5 s; shaded: the server '
        "stalls; hollow: never sent</text>",
    ]
    size = f'width="{WIDTH}" height="{2 * HEIGHT + 4}" viewBox="0 0 {WIDTH} {2 * HEIGHT + 4}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, sans-serif" font-size="13">'
    )
    ground = f'<rect width="100%" height="100%" rx="6" fill="#ffffff"/><g fill="{INK}">'
    return "\n".join((head, ground, *parts, "</g>", "</svg>", ""))


if __name__ == "__main__":
    PICTURE.write_text(picture(), "utf-8")
