"""People in a chat room, each posting once a second: `locust -f locustfiles/chat.py`.

An open workload: posts are due by the clock, whatever the server does.
Without `--host`, wsload's own chat server is started for the run.
"""

from wsload import ChatUser, constant_rate, embedded_server, task

embedded_server("--quiet-roster")


class Chatter(ChatUser):
    wait_time = constant_rate(1)

    @task
    async def post(self) -> None:
        await self.say("hello")
