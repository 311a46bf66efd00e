"""The selftest's load: users who post when a post is due, and do nothing else."""

import asyncio
import atexit
import json
from pathlib import Path

import wsload
from wsload.commands.selftest.settings import LINGER_S
from wsload.commands.selftest.trial import DUE_TIMES
from wsload.load.users.context.here import current_due

_due_ns: list[int] = []


async def post(user: wsload.ChatUser) -> None:
    """The only task."""
    _due_ns.append(current_due.get().due_ns)
    await user.say("x")


class Poster(wsload.ChatUser):
    """Posts at ``--ws-rate``."""

    tasks = [post]  # noqa: RUF012 as Locust wants it


class Lingerer(Poster):
    """Stays for a while after its last post, for other users' posts and for those that the server holds back."""

    async def on_stop(self) -> None:
        await asyncio.sleep(LINGER_S)


# At the very end: writing while echoes are outstanding would make the loop late for them.
atexit.register(lambda: Path(DUE_TIMES).write_text(json.dumps(_due_ns)))
