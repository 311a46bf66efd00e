"""What the selftest runs under Locust: people who post when it is due, and nothing else."""

import asyncio

import wsload
from wsload.selftest.settings import LINGER_S


async def post(user: wsload.ChatUser) -> None:
    """The only task."""
    await user.say("x")


class Poster(wsload.ChatUser):
    """Posts when ``--ws-rate`` says so."""

    tasks = [post]


class Lingerer(Poster):
    """Stays a while after its last post, for what others posted and what the server holds back."""

    async def on_stop(self) -> None:
        await asyncio.sleep(LINGER_S)
