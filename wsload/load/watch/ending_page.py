"""Keeps Locust's page asking while a run ends.

The page asks for figures while the state is ``spawning`` or ``running``, and no more. While users end and their
answers are waited for it is another, and a page that was told so (or was opened then) would show it, with a button
that reads "Loading", until it is reloaded.
"""

from __future__ import annotations

import re
from typing import Any, Final

from flask import Response, request
from locust.runners import STATE_CLEANUP, STATE_RUNNING, STATE_STOPPING

ENDING: Final = (STATE_CLEANUP, STATE_STOPPING)
"""States of a run that is ending, which the page takes for the last."""
_IN_PAGE: Final = re.compile(rf'"state": ?"(?:{"|".join(ENDING)})"')


def keep_asking(environment: Any) -> None:
    """Tells the page that a run which is ending is running: it goes on until the run has stopped."""
    app = environment.web_ui.app
    base = (environment.parsed_options.web_base_path or "").rstrip("/")

    def figures(response: Response) -> None:
        report = response.get_json()
        if report.get("state") in ENDING:
            response.set_data(app.json.dumps({**report, "state": STATE_RUNNING}))

    def start_page(response: Response) -> None:
        response.set_data(_IN_PAGE.sub(f'"state": "{STATE_RUNNING}"', response.get_data(as_text=True)))

    answers = {f"{base}/stats/requests": figures, f"{base}/": start_page}

    def told(response: Response) -> Response:
        # The answer says whether the run was ending: Locust gives figures out again for two seconds.
        if request.path in answers and any(state in response.get_data(as_text=True) for state in ENDING):
            answers[request.path](response)
        return response

    app.after_request(told)
