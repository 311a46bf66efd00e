"""What was typed into Locust's start form, read before the run starts: a mistake is shown in the form."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, request

from wsload.errors import UsageError


def check_start_form(environment: Any, check: Callable[[Namespace, str], object]) -> None:
    """Has a start refused for a mistake in the form, in Locust's own way: the page shows the message.

    ``check`` is given the options as the form has them and its host, and raises `UsageError`.
    """
    web_ui = environment.web_ui
    path = (environment.parsed_options.web_base_path or "").rstrip("/") + "/swarm"

    def answer() -> Response | None:
        options = Namespace(**vars(environment.parsed_options))
        for name, text in request.form.items():
            if name.startswith("ws_"):
                ticked = text == "true"
                setattr(options, name, ticked if isinstance(getattr(options, name, None), bool) else text)
        try:
            check(options, request.form.get("host", ""))
        except UsageError as error:
            return jsonify({"success": False, "message": str(error), "host": environment.host})
        return None

    # Who is not logged in is not told what a form's files and names are good for either.
    checked = web_ui.auth_required_if_enabled(answer)
    web_ui.app.before_request(lambda: checked() if request.path == path else None)
