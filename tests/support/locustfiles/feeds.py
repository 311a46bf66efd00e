"""Users with rows of feeds, which they tell the server in their URLs."""

from __future__ import annotations

from locust import constant

from wsload import Opening, WebSocketUser, feed, task


class Buyer(WebSocketUser):
    wait_time = constant(0.2)
    account = feed("accounts.csv")

    async def on_opening(self) -> Opening:
        return Opening(query={"buyer": self.account["name"]})

    @task
    async def talk(self) -> None:
        await self.round_trip("hello")


class Seller(WebSocketUser):
    wait_time = constant(0.2)
    shop = feed(["a", "b"], order="circular")

    async def on_opening(self) -> Opening:
        return Opening(query={"seller": self.shop})

    @task
    async def talk(self) -> None:
        await self.round_trip("hello")
