"""permessage-deflate (RFC 7692), as the library negotiated it."""

from __future__ import annotations

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.extensions import Extension
from websockets.frames import Frame, Opcode

from wsload.load.ws.rules import Rule, Violation


class Deflate:
    """Deflates whole messages and inflates frames, in order, by the extension that was agreed on."""

    __slots__ = ("_extension",)

    def __init__(self, extension: Extension) -> None:
        self._extension = extension

    def deflate(self, data: bytes, *, text: bool) -> bytes | memoryview:
        """The payload of the message's one frame, whose first reserved bit is to be set."""
        return self._extension.encode(Frame(Opcode.TEXT if text else Opcode.BINARY, data)).data  # type: ignore[return-value]

    def inflate(self, data: bytes, *, first: bool, final: bool, limit: int) -> bytes:
        """The payload of a frame of a compressed message. Raises `Violation`, also beyond ``limit`` bytes."""
        frame = Frame(Opcode.BINARY if first else Opcode.CONT, data, fin=final, rsv1=first)
        try:
            # The library takes 0 for no limit.
            inflated = bytes(self._extension.decode(frame, max_size=max(limit, 1)).data)
        except PayloadTooBig:
            raise Violation(Rule.TOO_BIG, f"inflated to more than {limit} bytes") from None
        except ProtocolError as error:
            raise Violation(Rule.DEFLATE, str(error)) from None
        if len(inflated) > limit:
            raise Violation(Rule.TOO_BIG, f"inflated to more than {limit} bytes")
        return inflated
