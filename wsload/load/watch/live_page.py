"""The WebSocket page in Locust's web UI: live figures of the run, and downloads of its log and report."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, request, send_file

from wsload.load.watch.start_form import MISTAKES
from wsload.load.watch.web_ui_compat import START_PAGE, add_downloads, add_element_tab
from wsload.measure.names import labels
from wsload.report.html import REPORT
from wsload.report.page import page
from wsload.report.tables import CLOSE_MEANINGS, FEW, NOT_TRUSTED
from wsload.results.writer import HISTOGRAMS

if TYPE_CHECKING:
    from wsload.load.run.run import Run

KEY: Final = "wsload"
_ELEMENT: Final = "wsload-live"
_TAB: Final = """<script>
customElements.define("wsload-live", class extends HTMLElement {
  connectedCallback() {
    const frame = Object.assign(document.createElement("iframe"), { src: "wsload", title: "WebSocket" });
    frame.style.cssText = "display: block; width: 100%; height: 80vh; border: 0";
    // As high as its page, and as dark as Locust's, which has a switch for that.
    const fit = () => { frame.style.height = `${frame.contentDocument.documentElement.offsetHeight}px`; };
    const shade = () => {
      const ground = getComputedStyle(document.body).backgroundColor.match(/\\d+/g);
      frame.style.colorScheme = ground && Math.max(...ground.slice(0, 3)) < 128 ? "dark" : "light";
    };
    // Printed by itself: as a part of Locust's page it would be cut wherever a sheet of paper ends.
    this.print = (event) => {
      if (event.key !== "p" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      frame.contentWindow.print();
    };
    frame.addEventListener("load", () => {
      new ResizeObserver(fit).observe(frame.contentDocument.documentElement);
      frame.contentDocument.addEventListener("keydown", this.print);
    });
    document.addEventListener("keydown", this.print);
    document.addEventListener("click", this.shade = () => setTimeout(shade));
    shade();
    this.replaceChildren(frame);
  }
  disconnectedCallback() {
    document.removeEventListener("keydown", this.print);
    document.removeEventListener("click", this.shade);
  }
});
</script></body>"""


def add_live_page(environment: Any, run_now: Callable[[], Run | None]) -> None:
    """Adds the page to the web UI, as a tab and in the downloads; ``run_now`` returns the latest run, or None."""
    web_ui = environment.web_ui
    base = (getattr(environment.parsed_options, "web_base_path", None) or "").rstrip("/")
    blueprint = Blueprint(KEY, __name__, url_prefix=f"{base}/{KEY}")

    def live() -> Response:
        data = {
            "base": f"{base}/{KEY}",
            "labels": labels().counters,
            "meanings": CLOSE_MEANINGS,
            "notes": f"{FEW} {NOT_TRUSTED}.",
        }
        return Response(page("live.html", scripts=("live.js",), connect=True, data=data))

    def live_json() -> Response:
        run = run_now()
        since = request.args.get("since", "0")
        found: dict[str, Any] = {"run": None}
        if run is not None:
            name = request.args.get("name", "")
            found = run.live(int(since) if since.isdecimal() and len(since) < 10 else 0, name)
        # Not with Flask's jsonify, which sorts and indents in the debug mode that Locust sets.
        return Response(json.dumps(found, separators=(",", ":")), mimetype="application/json")

    def histograms() -> Response:
        return _file(run_now(), HISTOGRAMS)

    def report() -> Response:
        return _file(run_now(), REPORT)

    def refuse_foreign_pages() -> Response | None:
        # Locust's answers may be read by any website (CORS); a browser names the one that asks.
        origin = request.headers.get("Origin")
        if origin is None or urlsplit(origin).netloc == request.host:
            return None
        return Response("Requests from pages of other sites are refused.\n", 403, mimetype="text/plain")

    blueprint.before_request(refuse_foreign_pages)
    routes = {"": live, "/live.json": live_json, f"/{HISTOGRAMS}": histograms, f"/{REPORT}": report}
    for path, view in routes.items():
        blueprint.add_url_rule(path, view.__name__, web_ui.auth_required_if_enabled(view))
    web_ui.app.register_blueprint(blueprint)
    add_element_tab(web_ui, "WebSocket", KEY, _ELEMENT)
    add_downloads(
        web_ui,
        {
            f"{base}/{KEY}": "WebSocket: live page with charts",
            f"{base}/{KEY}/{HISTOGRAMS}": "WebSocket: HDR histogram log",
            f"{base}/{KEY}/{REPORT}": "WebSocket: report of the last run",
        },
    )

    def define(response: Response) -> Response:
        start_page = request.path == f"{base}{START_PAGE}" and response.mimetype == "text/html"
        if start_page and not response.direct_passthrough:
            response.set_data(response.get_data(as_text=True).replace("</body>", MISTAKES + _TAB))
        return response

    web_ui.app.after_request(define)


def _file(run: Run | None, name: str) -> Response:
    if run is None or not (run.writer.path / name).is_file():
        # Not abort(): if a login is required, Locust turns every exception in a view into a 200.
        return Response(f"There is no {name} yet.\n", 404, mimetype="text/plain")
    return send_file((run.writer.path / name).resolve(), as_attachment=name == HISTOGRAMS)
