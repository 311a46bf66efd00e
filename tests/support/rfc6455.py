"""A server's frames read by the letter of RFC 6455, by a second hand: for comparison, and slow.

Written from the RFC without a look at wsload's reader. It takes a whole stream at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

CODES = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}


@dataclass
class Understood:
    """What a stream says."""

    messages: list[tuple[int, bytes]] = field(default_factory=list)
    """(opcode, payload) of whole messages."""
    pings: list[bytes] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    closed: tuple[int, str] | None = None
    broken: set[str] = field(default_factory=set)
    """The rules that the first bad byte breaks; what follows does not count."""
    amid: bool = False
    """Whether the stream ends amid a frame or a message."""


def understand(stream: bytes, limit: int) -> Understood:
    """Reads the stream until it ends, is closed, or breaks a rule."""
    said = Understood()
    message: tuple[int, bytes] | None = None
    at = 0
    while at < len(stream):
        said.amid = True
        first = stream[at]
        opcode, final = first % 16, first >= 128
        if first // 16 % 8:
            said.broken.add("reserved bits")
        if opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
            said.broken.add("reserved opcode")
        if opcode >= 8 and not final:
            said.broken.add("fragmented control frame")
        if opcode == 0 and message is None:
            said.broken.add("unexpected continuation")
        if opcode in (1, 2) and message is not None:
            said.broken.add("unfinished message")
        if said.broken or at + 1 == len(stream):
            return said
        second = stream[at + 1]
        if second >= 128:
            said.broken.add("masked frame")
        if opcode >= 8 and second % 128 > 125:
            said.broken.add("long control frame")
        if said.broken:
            return said
        head = {126: 4, 127: 10}.get(second, 2)
        if at + head > len(stream):
            return said
        length = int.from_bytes(stream[at + 2 : at + head], "big") if head > 2 else second
        before = message[1] if message is not None and opcode == 0 else b""
        if opcode < 8 and len(before) + length > limit:
            said.broken.add("message too big")
            return said
        if at + head + length > len(stream):
            return said
        payload = stream[at + head : at + head + length]
        at += head + length
        if opcode == 9:
            said.pings.append(payload)
        elif opcode == 10:
            said.pongs.append(payload)
        elif opcode == 8:
            _close(said, payload)
            return said
        else:
            kind = message[0] if message is not None and opcode == 0 else opcode
            message = kind, before + payload
            if final:
                if kind == 1 and not _is_text(message[1]):
                    said.broken.add("invalid UTF-8")
                    return said
                said.messages.append(message)
                message = None
        said.amid = message is not None
    return said


def _close(said: Understood, payload: bytes) -> None:
    if len(payload) == 1:
        said.broken.add("bad close frame")
        return
    code = int.from_bytes(payload[:2], "big") if payload else 1005
    if payload and code not in CODES and not 3000 <= code <= 4999:
        said.broken.add("bad close code")
    if not _is_text(payload[2:]):
        said.broken.add("invalid UTF-8")
    if not said.broken:
        said.closed = code, payload[2:].decode()


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8", "strict")
    except UnicodeDecodeError:
        return False
    return True
