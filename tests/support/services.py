"""The real services that the example locustfiles run against, on loopback, each in its own process."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import listening
from support.waiting import until

SERVERS = Path(__file__).parents[1] / "examples" / "servers"
HOST = "127.0.0.1"
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's, without the wrapper that changes to the user "rabbitmq"."""
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20


def node(name: str, node_modules: Path, *words: str) -> contextlib.AbstractContextManager[int]:
    """A server of tests/examples/servers on a free port, which is the block's value."""
    return listening("node", SERVERS / name, "0", *words, env={"NODE_PATH": str(node_modules)})


def token_chat() -> contextlib.AbstractContextManager[int]:
    """The chat behind an HTTP login."""
    return listening(sys.executable, SERVERS / "token_chat.py", "0")


@contextlib.contextmanager
def mosquitto(directory: Path) -> Iterator[int]:
    """An MQTT broker that speaks WebSocket."""
    if not (broker := shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")):
        pytest.skip("mosquitto is not installed")
    port = free_ports(1)[0]
    settings = directory / "mosquitto.conf"
    # Version 2.0.11 does not start with WebSocket listeners alone, so there is one more, and heeds an
    # address only with a socket_domain.
    settings.write_text(
        f"user {getpass.getuser()}\nallow_anonymous true\nlistener 0 {directory}/mosquitto.sock\n"
        f"listener {port} {HOST}\nprotocol websockets\nsocket_domain ipv4\n"
    )
    with _running([broker, "-c", settings], directory / "mosquitto.log", port):
        yield port


@contextlib.contextmanager
def rabbitmq(directory: Path) -> Iterator[int]:
    """A RabbitMQ with nothing but its STOMP over WebSocket (path ``/ws``), and a port mapper of its own."""
    if not RABBITMQ.exists() or not (mapper := shutil.which("epmd")):
        pytest.skip("rabbitmq-server is not installed")
    web, distribution, mapping = free_ports(3)
    (directory / "enabled_plugins").write_text("[rabbitmq_web_stomp].\n")
    (directory / "rabbitmq.conf").write_text(
        f"listeners.tcp = none\nstomp.listeners.tcp = none\n"
        f"web_stomp.tcp.ip = {HOST}\nweb_stomp.tcp.port = {web}\n"
    )
    environment = {
        "HOME": str(directory),
        "RABBITMQ_NODENAME": f"wsload-{web}@localhost",
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_PORT": str(mapping),
        "ERL_EPMD_ADDRESS": HOST,
    }
    with (
        _running([mapper], directory / "epmd.log", mapping, environment),
        _running([RABBITMQ], directory / "rabbitmq.log", web, environment),
    ):
        yield web


@contextlib.contextmanager
def _running(
    command: list[str | Path], log: Path, port: int, environment: dict[str, str] | None = None
) -> Iterator[None]:
    """Runs a server until the end of the block; it has started once somebody listens on the port."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, stdout=output, stderr=output
        )
    try:
        until(
            lambda: child.poll() is not None or _listens(port),
            timeout_s=START_TIMEOUT_S,
            what=f"{command[0]} on port {port}",
        )
        assert child.poll() is None, log.read_text("utf-8", "replace")
        yield
    finally:
        child.terminate()
        try:
            child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex((HOST, port)) == 0


def free_ports(number: int) -> list[int]:
    """As many different ports that nobody listens on now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
