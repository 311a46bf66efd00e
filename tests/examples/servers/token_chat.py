"""A chat behind a login: POST /login gives a token, the WebSocket wants it, and its messages are lists.

    python token_chat.py PORT

Prints "listening PORT". A message is ``["say", reference, text]``; everybody gets
``["said", who, reference, text]``. Saying "spam" gets ``["refused", reference, "spam"]`` instead. Each
newcomer is greeted.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import sys

import uvicorn
from fastapi import FastAPI, HTTPException, WebSocket, WebSocketDisconnect
from pydantic import BaseModel

app = FastAPI()
tokens: dict[str, str] = {}
room: dict[WebSocket, str] = {}


class Account(BaseModel):
    name: str
    password: str


@app.post("/login")
async def log_in(account: Account) -> dict[str, str]:
    """The password is the name backwards."""
    await asyncio.sleep(0.02)
    if account.password != account.name[::-1]:
        raise HTTPException(401, "wrong password")
    token = secrets.token_urlsafe(16)
    tokens[token] = account.name
    return {"token": token}


@app.websocket("/rooms/{name}")
async def chat(websocket: WebSocket, name: str) -> None:
    """One person in the room; closed before it is accepted, so with 403, for a token that is unknown."""
    who = tokens.get(websocket.headers.get("authorization", "").removeprefix("Bearer "))
    if who is None:
        await websocket.close()
        return
    await websocket.accept()
    await websocket.send_json(["welcome", name, len(room)])
    room[websocket] = who
    try:
        while True:
            await said(websocket, who, await websocket.receive_json())
    except WebSocketDisconnect:
        pass
    finally:
        del room[websocket]


async def said(speaker: WebSocket, who: str, message: list[str]) -> None:
    """Hands it on to everybody, or refuses it."""
    match message:
        case ["say", reference, "spam"]:
            await speaker.send_json(["refused", reference, "spam"])
        case ["say", reference, text]:
            await asyncio.sleep(0.01)
            for person in list(room):
                await person.send_json(["said", who, reference, text])


def main() -> None:
    """Listens on loopback only."""
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    print("listening", listener.getsockname()[1], flush=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="websockets-sansio"))
    server.run([listener])


if __name__ == "__main__":
    main()
