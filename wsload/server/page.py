"""The page at ``/`` from which a browser joins the room."""

from __future__ import annotations

import http
import secrets
from importlib import resources

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

_NONCE = "{{nonce}}"


def response(connection: ServerConnection, request: Request) -> Response | None:
    """The response to a plain HTTP request: the page, 404, or None to let the library refuse it."""
    if request.method != "GET":
        return None
    if request.path.partition("?")[0] != "/":
        return connection.respond(http.HTTPStatus.NOT_FOUND, "Not found: the page is at /.\n")
    nonce = secrets.token_urlsafe(16)
    text = resources.files("wsload.server").joinpath("page.html").read_text(encoding="utf-8")
    answer = connection.respond(http.HTTPStatus.OK, text.replace(_NONCE, nonce))
    del answer.headers["Content-Type"]
    answer.headers["Content-Type"] = "text/html; charset=utf-8"
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    return answer
