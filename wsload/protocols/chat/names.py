"""The chat's own metrics and counters."""

from __future__ import annotations

from typing import Final

from wsload.measure.names import register

MESSAGE: Final = "message"
"""The request that a post is: from when it was due until its own echo arrived."""

LOGIN: Final = "login"

METRICS: Final = {MESSAGE: "response time: from when a message was due to be sent until its own echo arrived"}
COUNTERS: Final = {
    "logins": "logins",
    "login_failures": "logins failed",
    "renamed": "renamed by the server",
    "deliveries_own_host": "deliveries, own host",
    "deliveries_foreign": "deliveries, other hosts (not timed)",
    "out_of_order": "echoes out of order",
    "rosters": "user lists received",
    "unknown_types": "messages of unknown type",
    "malformed": "malformed messages",
    "binary": "binary messages",
}


def use() -> None:
    """Registers them, in a process with users of the chat. Mere imports don't: others may count ``logins`` as well."""
    register(metrics=METRICS, counters=COUNTERS)
