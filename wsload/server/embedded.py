"""The embedded chat server for a run without ``--host``: a separate process that ends with the run."""

from __future__ import annotations

import atexit
import logging
from typing import Any

from locust import events
from locust.runners import WorkerRunner

from wsload.server.process import ServerProcess

logger = logging.getLogger("wsload")


def embedded_server(*options: str) -> None:
    """Call this in a locustfile to load wsload's own chat server when no ``--host`` is given.

    The process that owns the run starts the server on a free loopback port (workers get the host from their master).
    It stops when that process ends, however that happens. ``options`` are those of ``wsload serve``.
    """

    def start(environment: Any, **_: Any) -> None:
        has_host = environment.host or any(user_class.host for user_class in environment.user_classes)
        names_url = "://" in (environment.parsed_options.ws_url or "")
        if has_host or names_url or isinstance(environment.runner, WorkerRunner):
            return
        server = ServerProcess(*options)
        environment.host = server.url
        environment.parsed_options.host = server.url
        for user_class in environment.user_classes:
            user_class.host = server.url  # also used if the host in the start form is empty
        atexit.register(server.stop)
        events.quit.add_listener(lambda **_: stop(server))
        logger.info(
            "No --host given: loading wsload's own chat server at %s (pid %d)", server.url, server.pid
        )

    def stop(server: ServerProcess) -> None:
        server.stop()
        if server.errors:
            logger.warning("wsload's own chat server wrote: %s", server.errors)

    events.init.add_listener(start)
