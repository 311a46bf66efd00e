"""The parts of a made locustfile that are the same in each: nothing foreign is put into them."""

from __future__ import annotations

from typing import Final

HEAD: Final = '''\
"""Made by `wsload from-har` from a browser's recording:

    locust -f locustfile.py --headless -u 10 -r 2 -t 60s

Each user repeats the visit: it connects, sends what the browser sent at the same pace, and closes. Comments mark what
was changed, and what may have to be different for every user.
"""
'''
READ_HIDDEN: Final = '''\
def secret(name: str) -> str:
    """A secret of the recording: set the variable to a value that is valid when you run this."""
    return os.environ.get(name) or sys.exit(f"locustfile: set {name}, which replaces a secret in the recording")
'''
DUMP: Final = '''\
def dump(value: Any) -> str:
    """JSON as a browser writes it."""
    return json.dumps(value, separators=(",", ":"))
'''
DECODED: Final = '''\
def decoded(message: Any) -> Any:
    """A message's JSON; None where there is none."""
    try:
        return json.loads(message)
    except ValueError:
        return None
'''
DECODED_SOCKET_IO: Final = '''\
def decoded_after_digits(message: Any) -> Any:
    """The JSON in a packet of Socket.IO; None where there is none."""
    return decoded(re.sub(r"^\\d+(/[^,]*,)?\\d*", "", message)) if isinstance(message, str) else None
'''
DECODED_RECORD: Final = '''\
def decoded_record(message: Any) -> Any:
    """The JSON in a message of SignalR; None where there is none."""
    return decoded(message.rstrip("\\x1e")) if isinstance(message, str) else None
'''
ERROR_OF: Final = '''\
def error_of(answer: Any) -> str | None:
    """The kind of failure that a JSON-RPC response reports."""
    match decoded(answer):
        case {"error": {"code": code}}:
            return f"error {code}"
    return None
'''
ERRORS: Final = '''\
def errors(answer: Any) -> str | None:
    """The kind of failure that a GraphQL response reports."""
    match decoded(answer):
        case {"type": "error"} | {"payload": {"errors": [_, *_]}}:
            return "GraphQL errors"
    return None
'''
GIVEN: Final = '''\
    async def given(self, name: str) -> Any:
        """The latest value from the server under this name; waits for the first one."""
        async with asyncio.timeout(10):
            while name not in self.gave:
                self.told.clear()
                await self.told.wait()
        return self.gave[name]
'''
