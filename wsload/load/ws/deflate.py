"""permessage-deflate (RFC 7692), as the library negotiated it."""

from __future__ import annotations

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.extensions import Extension
from websockets.frames import Frame, Opcode

from wsload.load.ws.rules import Rule, Violation


class Deflate:
    """Deflates whole messages and inflates frames, in order, with the negotiated extension."""

    __slots__ = ("_extension",)

    def __init__(self, extension: Extension) -> None:
        self._extension = extension

    def deflate(self, data: bytes, *, text: bool) -> bytes | memoryview:
        """The payload of a message's only frame, which must have its first reserved bit set."""
        return self._extension.encode(Frame(Opcode.TEXT if text else Opcode.BINARY, data)).data  # type: ignore[return-value]

    def inflate(self, data: bytes, *, first: bool, final: bool, limit: int) -> bytes:
        """The payload of a frame of a compressed message. Raises `Violation`, also beyond ``limit`` bytes."""
        frame = Frame(Opcode.BINARY if first else Opcode.CONT, data, fin=final, rsv1=first)
        try:
            # To the library 0 means no limit.
            inflated = bytes(self._extension.decode(frame, max_size=max(limit, 1)).data)
        except PayloadTooBig:
            raise Violation(Rule.TOO_BIG, f"inflated to more than {limit} bytes") from None
        except ProtocolError as error:
            raise Violation(Rule.DEFLATE, str(error)) from None
        if len(inflated) > limit:
            raise Violation(Rule.TOO_BIG, f"inflated to more than {limit} bytes")
        return inflated
