"""What the selftest runs under Locust: people who post when it is due, and nothing else."""

import asyncio
import atexit
import json
from pathlib import Path

import wsload
from wsload.commands.selftest.settings import LINGER_S
from wsload.commands.selftest.trial import DUES
from wsload.load.users.due import current_due

_dues: list[int] = []


async def post(user: wsload.ChatUser) -> None:
    """The only task."""
    _dues.append(current_due.get().due_ns)
    await user.say("x")


class Poster(wsload.ChatUser):
    """Posts when ``--ws-rate`` says so."""

    tasks = [post]  # noqa: RUF012 so it is with Locust


class Lingerer(Poster):
    """Stays a while after its last post, for what others posted and what the server holds back."""

    async def on_stop(self) -> None:
        await asyncio.sleep(LINGER_S)


# At the very end: written while echoes are owed, it would make the loop late for them.
atexit.register(lambda: Path(DUES).write_text(json.dumps(_dues)))
