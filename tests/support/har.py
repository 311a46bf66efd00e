"""A HAR file made from what a page's tab told over the DevTools protocol, as Chrome's own exporter makes it.

See HARLog.ts of Chrome's DevTools front end: an entry for each request; a WebSocket's has its messages too, with the
browser's monotonic times moved to the wall clock's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit


def har(events: list[dict[str, Any]]) -> dict[str, Any]:
    """All requests of a page."""
    entries: dict[str, dict[str, Any]] = {}
    offsets: dict[str, float] = {}
    for event in events:
        told = event["params"]
        number = told.get("requestId", "")
        match event["method"]:
            case "Network.requestWillBeSent":
                request = told["request"]
                entries[number] = _entry(
                    request["url"], request["method"], request["headers"], told["wallTime"]
                )
                if "postData" in request:
                    post = {"mimeType": "text/plain;charset=UTF-8", "text": request["postData"]}
                    entries[number]["request"]["postData"] = post
            case "Network.responseReceived" if number in entries:
                entries[number]["response"]["status"] = told["response"]["status"]
            case "Network.webSocketCreated":
                entries[number] = _entry(told["url"], "GET", {}, 0.0)
                entries[number] |= {"_resourceType": "websocket", "_webSocketMessages": []}
            case "Network.webSocketWillSendHandshakeRequest":
                offsets[number] = told["wallTime"] - told["timestamp"]
                entries[number]["startedDateTime"] = _date(told["wallTime"])
                entries[number]["request"]["headers"] = _pairs(told["request"]["headers"])
            case "Network.webSocketHandshakeResponseReceived":
                entries[number]["response"]["status"] = told["response"]["status"]
            case "Network.webSocketFrameSent" | "Network.webSocketFrameReceived":
                frame = told["response"]
                entries[number]["_webSocketMessages"].append(
                    {
                        "type": "send" if event["method"].endswith("Sent") else "receive",
                        "time": told["timestamp"] + offsets[number],
                        "opcode": frame["opcode"],
                        "data": frame["payloadData"],
                    }
                )
    creator = {"name": "WebInspector", "version": "537.36"}
    return {"log": {"version": "1.2", "creator": creator, "pages": [], "entries": list(entries.values())}}


def _entry(url: str, method: str, headers: dict[str, str], wall_time: float) -> dict[str, Any]:
    return {
        "startedDateTime": _date(wall_time),
        "time": 0,
        "request": {
            "method": method,
            "url": url,
            "httpVersion": "http/1.1",
            "headers": _pairs(headers),
            "queryString": [{"name": n, "value": v} for n, v in parse_qsl(urlsplit(url).query)],
            "cookies": [],
            "headersSize": -1,
            "bodySize": 0,
        },
        "response": {"status": 0, "statusText": "", "httpVersion": "", "headers": [], "cookies": [],
                     "content": {"size": 0, "mimeType": "x-unknown"}, "redirectURL": "", "headersSize": -1,
                     "bodySize": -1},
        "cache": {},
        "timings": {"blocked": -1, "dns": -1, "connect": -1, "send": 0, "wait": 0, "receive": 0},
    }  # fmt: skip


def _pairs(headers: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers.items()]


def _date(wall_time: float) -> str:
    return datetime.fromtimestamp(wall_time, UTC).isoformat().replace("+00:00", "Z")
