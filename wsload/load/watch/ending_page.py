"""Keeps Locust's page polling while a run ends.

The page polls for figures only while the state is ``spawning`` or ``running``. While users stop and drain, the state
is another. A page that saw it, or was opened then, would show it until reloaded, with a button that reads "Loading".
"""

from __future__ import annotations

import re
from typing import Any, Final

from flask import Response, request

from wsload.load.watch.web_ui_compat import ENDING, FIGURES, RUNNING, START_PAGE, STATE

_IN_PAGE: Final = re.compile(rf'"{STATE}": ?"(?:{"|".join(ENDING)})"')


def keep_polling(environment: Any) -> None:
    """Reports a run that is ending as running, so that the page polls until it has stopped."""
    app = environment.web_ui.app
    base = (environment.parsed_options.web_base_path or "").rstrip("/")

    def figures(response: Response) -> None:
        report = response.get_json()
        if report.get(STATE) in ENDING:
            response.set_data(app.json.dumps({**report, STATE: RUNNING}))

    def start_page(response: Response) -> None:
        response.set_data(_IN_PAGE.sub(f'"{STATE}": "{RUNNING}"', response.get_data(as_text=True)))

    answers = {f"{base}{FIGURES}": figures, f"{base}{START_PAGE}": start_page}

    def told(response: Response) -> Response:
        # Decided by the answer rather than the runner's state, since Locust caches the answer for two seconds.
        if request.path in answers and any(state in response.get_data(as_text=True) for state in ENDING):
            answers[request.path](response)
        return response

    app.after_request(told)
