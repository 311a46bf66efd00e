"""MQTT 3.1.1 over WebSocket, QoS 1:

    locust -f locustfiles/mqtt.py --host ws://127.0.0.1:8083

For a publication the time to its acknowledgement is measured. Every user also subscribes
to what all publish.
"""

import itertools
import secrets
import struct
import time

from wsload import WebSocketUser, constant_rate, task

CONNECT, CONNACK, PUBLISH = b"\x10", b"\x20", b"\x32"
PUBACK, SUBSCRIBE, SUBACK = b"\x40", b"\x82", b"\x90"


def packet(kind: bytes, body: bytes) -> bytes:
    """A control packet; from 128 bytes on the length field would be longer."""
    assert len(body) < 128
    return kind + bytes((len(body),)) + body


def field(data: bytes) -> bytes:
    """Bytes with their length in front."""
    return struct.pack("!H", len(data)) + data


def bad_code(message: bytes) -> str | None:
    """The kind of failure if the acknowledgement of CONNECT or SUBSCRIBE is a refusal."""
    return f"code {message[-1]}" if message[-1] else None


class Sensor(WebSocketUser):
    url = "/mqtt"
    subprotocols = ("mqtt",)
    wait_time = constant_rate(5)

    def key_of(self, message: bytes) -> bytes | None:
        kind = message[:1]
        if kind in (PUBACK, SUBACK):
            return kind + message[2:4]  # the identifier of the acknowledged packet
        return kind if kind == CONNACK else None

    def on_message(self, message: bytes) -> None:
        if message[0] & 0xF0 == 0x30:  # PUBLISH
            (sent_ns,) = struct.unpack("!q", message[-8:])
            seconds = (time.monotonic_ns() - sent_ns) / 1e9
            self.record("delivery to subscribers", seconds=seconds)

    async def on_connect(self) -> None:
        self.ids = itertools.cycle(range(1, 65536))
        name = f"sensor-{secrets.token_hex(6)}".encode()
        hello = field(b"MQTT") + bytes((4, 2)) + struct.pack("!H", 60) + field(name)
        connect = packet(CONNECT, hello)
        await self.request(connect, key=CONNACK, name="CONNECT", check=bad_code)
        number = struct.pack("!H", next(self.ids))
        topic = packet(SUBSCRIBE, number + field(b"readings/#") + b"\x00")
        await self.request(topic, key=SUBACK + number, name="SUBSCRIBE", check=bad_code)

    @task
    async def publish(self) -> None:
        number = struct.pack("!H", next(self.ids))
        reading = field(b"readings/1") + number + struct.pack("!q", time.monotonic_ns())
        await self.request(packet(PUBLISH, reading), key=PUBACK + number, name="PUBLISH")
