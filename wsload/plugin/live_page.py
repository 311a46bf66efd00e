"""The WebSocket page in Locust's web UI: live figures of the run, its log and its report to download."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, abort, jsonify, request, send_file

from wsload.report.html import REPORT
from wsload.report.page import page
from wsload.results.writer import HISTOGRAMS

if TYPE_CHECKING:
    from wsload.plugin.run import Run

logger = logging.getLogger("wsload")

KEY: Final = "wsload"
_COLUMNS: Final = (
    ("name", "Metric"),
    ("count", "Count"),
    ("p50", "p50 (ms)"),
    ("p90", "p90 (ms)"),
    ("p99", "p99 (ms)"),
    ("p99_9", "p99.9 (ms)"),
    ("max", "Max (ms)"),
)


def add_live_page(environment: Any, run_now: Callable[[], Run | None]) -> None:
    """Adds the page, a tab and links to the web UI; ``run_now`` gives the latest run, if there was one."""
    web_ui = environment.web_ui
    base = (environment.parsed_options.web_base_path or "").rstrip("/")
    blueprint = Blueprint(KEY, __name__, url_prefix=f"{base}/{KEY}")

    def live() -> Response:
        return Response(page("live.html", scripts=("live.js",), connect=True, data={"base": f"{base}/{KEY}"}))

    def live_json() -> Response:
        run = run_now()
        if run is None:
            return jsonify({"run": None})
        since = request.args.get("since", "0")
        return jsonify(run.live(int(since) if since.isdecimal() and len(since) < 10 else 0))

    def histograms() -> Response:
        return _file(run_now(), HISTOGRAMS)

    def report() -> Response:
        return _file(run_now(), REPORT)

    routes = {"": live, "/live.json": live_json, f"/{HISTOGRAMS}": histograms, f"/{REPORT}": report}
    for path, view in routes.items():
        blueprint.add_url_rule(path, view.__name__, web_ui.auth_required_if_enabled(view))
    web_ui.app.register_blueprint(blueprint)
    web_ui.template_args["extended_tabs"] = [{"title": "WebSocket", "key": KEY}]
    web_ui.template_args["extended_tables"] = [
        {"key": KEY, "structure": [{"key": key, "title": title} for key, title in _COLUMNS]}
    ]
    web_ui.template_args["extended_csv_files"] = [
        {"href": f"{base}/{KEY}", "title": "WebSocket: live page with charts"},
        {"href": f"{base}/{KEY}/{HISTOGRAMS}", "title": "WebSocket: HDR histogram log"},
        {"href": f"{base}/{KEY}/{REPORT}", "title": "WebSocket: report of the last run"},
    ]

    def extend(response: Response) -> Response:
        if request.path == f"{base}/stats/requests" and response.is_json:
            run = run_now()
            found = response.get_json()
            if run is not None and isinstance(found, dict):
                rows = [
                    {"name": name, **{key: round(figures[key], 3) for key, _ in _COLUMNS[1:]}}
                    for name, figures in run.live(0)["metrics"].items()
                ]
                found["extended_stats"] = [{"key": KEY, "data": rows}]
                response.set_data(environment.web_ui.app.json.dumps(found))
        elif (
            request.path == f"{base}/"
            and response.mimetype == "text/html"
            and not response.direct_passthrough
        ):
            # Locust's tabs can hold tables only: the page with the charts is a click away.
            response.set_data(response.get_data(as_text=True).replace("</body>", _LINK % f"{base}/{KEY}"))
        return response

    web_ui.app.after_request(extend)


_LINK: Final = (
    '<a href="%s" style="position:fixed;right:16px;bottom:12px;z-index:9;padding:6px 12px;border-radius:4px;'
    'background:#2f6fb3;color:#fff;font:14px system-ui,sans-serif;text-decoration:none">'
    "WebSocket live page</a></body>"
)


def _file(run: Run | None, name: str) -> Response:
    if run is None or not (run.writer.path / name).is_file():
        abort(404, "there is none yet")
    return send_file((run.writer.path / name).resolve(), as_attachment=name == HISTOGRAMS)
