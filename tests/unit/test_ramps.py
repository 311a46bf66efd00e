"""A master's ramp ends with its run, in whatever greenlet it is at work; a real master and workers in one process."""

from __future__ import annotations

import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from canary import needed
from locust import User, argument_parser
from locust.env import Environment
from locust.exception import StopTest, StopUser
from locust.runners import MasterRunner, WorkerRunner

from wsload.load.locust import ramps_compat
from wsload.load.locust.ramps import RampEnded, Ramps


class Someone(User):
    tasks = [lambda _: gevent.sleep(0.01)]  # noqa: RUF012  # as Locust has it


class Swarm:
    """A master with a worker."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.fired: Counter[str] = Counter()
        self.master = self._environment("master")
        self.runner: MasterRunner = self.master.create_master_runner("127.0.0.1", port)
        worker = self._environment("worker")
        self.worker: WorkerRunner = worker.create_worker_runner("127.0.0.1", port)
        until(lambda: len(self.runner.clients.ready) == 1)

    def _environment(self, name: str) -> Environment:
        environment = Environment(user_classes=[Someone], stop_timeout=0)
        environment.parsed_options = argument_parser.get_parser().parse_args([])
        for event in ("test_start", "test_stopping", "test_stop"):
            getattr(environment.events, event).add_listener(
                lambda event=event, **_: self.fired.update([f"{name} {event}"])
            )
        return environment

    def quit(self) -> None:
        self.runner.quit()
        self.worker.quit()


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(20):
        while not condition():
            gevent.sleep(0.01)


@pytest.fixture
def swarm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Swarm]:
    monkeypatch.setattr(sys, "argv", ["locust"])
    swarm = Swarm()
    yield swarm
    swarm.quit()


@pytest.mark.parametrize("how", ["stop", "quit"])
def test_a_ramp_ends_with_its_run_and_its_greenlet_goes_on(swarm: Swarm, how: str) -> None:
    """It may be that of the web UI, of --autostart, or the one that receives the workers' messages."""
    ramps = Ramps(swarm.master)
    swarm.master.events.test_stopping.add_listener(lambda **_: ramps.end())
    done: list[str] = []

    def receive() -> None:
        swarm.runner.start(1_000, 5)
        done.append(swarm.runner.state)

    greenlet = gevent.spawn(receive)
    until(lambda: swarm.worker.user_count >= 5)
    getattr(swarm.runner, how)()
    greenlet.join(5)
    assert len(done) == 1 and done[0] in ("spawning", "stopping", "stopped")
    until(lambda: swarm.fired["worker test_stop"] == 1)
    gevent.sleep(2.5)  # two turns of the ramp
    assert swarm.fired == {f"{who} {event}": 1 for who in ("master", "worker") for event in (
        "test_start", "test_stopping", "test_stop")}  # fmt: skip
    assert swarm.worker.user_count == 0
    assert swarm.runner.state in ("stopping", "stopped")


@pytest.mark.parametrize("error", [StopTest("enough"), SystemExit(7), StopUser(), RampEnded()], ids=repr)
def test_a_start_that_fails_before_its_first_user_can_be_stopped(swarm: Swarm, error: BaseException) -> None:
    Ramps(swarm.master)
    quits: list[Any] = []
    if isinstance(error, RampEnded):  # the code that raises it also ends the run
        gevent.spawn_later(0.1, swarm.runner.quit)
    swarm.master.events.quitting.add_listener(lambda **_: quits.append(1))

    def fail(**_: Any) -> None:
        raise error

    swarm.master.events.test_start.add_listener(fail)
    if isinstance(error, StopUser):
        with pytest.raises(StopUser):
            swarm.runner.start(5, 5)
    else:
        swarm.runner.start(5, 5)
    until(lambda: swarm.fired["master test_stop"] == 1)
    assert swarm.fired["worker test_start"] == 0
    assert swarm.worker.user_count == 0
    assert swarm.master.process_exit_code == (7 if isinstance(error, SystemExit) else None)


def test_the_state_of_a_master_is_known_to_allow_a_stop(swarm: Swarm) -> None:
    with needed("locust", "MasterRunner.state", "to end a run whose start failed"):
        swarm.runner.stop()
        assert not swarm.fired
        for state, heeds in (("ready", True), ("stopped", True), ("running", False), ("stopping", False)):
            swarm.runner.update_state(state)
            assert ramps_compat.heed_stop(swarm.runner) is heeds
        swarm.runner.update_state("stopped")
        ramps_compat.heed_stop(swarm.runner)
        swarm.runner.stop()
        assert swarm.fired["master test_stop"] == 1


@pytest.mark.parametrize("unwanted", [False, True])
def test_a_worker_that_is_ending_heeds_no_orders(swarm: Swarm, unwanted: bool) -> None:
    """Such as those sent before its master knew of that: its end would be told of twice."""
    with needed("locust", "WorkerRunner.start_worker", "so that a worker is stopped once"):
        ramps_compat.drop_orders(swarm.worker, lambda: unwanted)
        swarm.worker.update_state("stopped")
        gevent.spawn(swarm.runner.start, 3, 3)
        until(lambda: swarm.fired["worker test_start"] == 1)
        gevent.sleep(0.5)
        assert swarm.worker.user_count == (0 if unwanted else 3)
        assert swarm.worker.state == ("stopped" if unwanted else "running")
