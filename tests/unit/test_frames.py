from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode
from websockets.protocol import SERVER, Protocol

from wsload.load.ws.frames import client_frame

sizes = st.sampled_from((0, 1, 125, 126, 127, 65_535, 65_536)) | st.integers(0, 300)


@given(sizes, st.booleans(), st.binary(min_size=1, max_size=1))
def test_a_server_reads_what_was_meant(size: int, text: bool, byte: bytes) -> None:
    data = byte * size
    server = Protocol(SERVER)
    server.receive_data(client_frame(data, text=text))
    (frame,) = server.events_received()
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (
        Opcode.TEXT if text else Opcode.BINARY,
        True,
        data,
    )


def test_each_frame_has_a_mask_of_its_own() -> None:
    masks = {client_frame(b"hello", text=True)[2:6] for _ in range(50)}
    assert len(masks) > 40
