"""The errors that may reach a user, each in one line. Any other exception is a bug, and shows its traceback."""

from __future__ import annotations

import errno
from typing import Any, ClassVar, Final

from wsload.exit_codes import ExitCode

_DISK: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO))
"""Errors of a disk, a quota or a limit on file sizes: no other name or permission would help."""


class WsloadError(Exception):
    """Base class: the message is one line that a user can act on."""

    exit_code: ClassVar[ExitCode] = ExitCode.BROKEN
    """The exit code of a command that this error stopped."""


class UsageError(WsloadError):
    """The user's mistake: an option, an expression or a file name."""

    exit_code = ExitCode.USAGE


class ClassError(UsageError, TypeError):
    """A user class declares something invalid."""


class AlreadyConnected(UsageError):
    """A task asked for a connection although it has one."""


class ResultsError(WsloadError):
    """A results directory can't be read: missing, damaged, or written by a newer wsload."""

    exit_code = ExitCode.USAGE


class NotWritten(WsloadError):
    """Results could not be written, through no mistake of the user's: the disk is full, for instance."""

    def __init__(self, message: str, tail: str = "") -> None:
        super().__init__(message)
        self.tail = tail
        """The last lines of the output of the process that failed to write; empty for this one."""


class NothingMeasured(WsloadError):
    """The load ran, but there is no figure to judge."""

    exit_code = ExitCode.NOTHING_MEASURED


class Untrusted(WsloadError):
    """The figures can't be trusted."""

    exit_code = ExitCode.UNTRUSTED


class ServerFailed(WsloadError):
    """The server under test did not start, or ended while it was needed."""

    exit_code = ExitCode.SERVER_FAILED

    def __init__(self, message: str, tail: str = "") -> None:
        super().__init__(message)
        self.tail = tail
        """The last lines of its output."""


def disk_failed(error: OSError) -> bool:
    """Whether the disk is full, or fails."""
    return error.errno in _DISK


def unwritten(error: OSError, message: str, otherwise: type[WsloadError] = UsageError) -> WsloadError:
    """The error to raise for a failed write: `NotWritten` if the disk is full or fails, or else ``otherwise``."""
    return (NotWritten if disk_failed(error) else otherwise)(message)


class WorkloadError(WsloadError):
    """Base class of the errors that a user's task may see while the load runs.

    Each one was counted as a failure of its ``kind`` before it was raised, so a task need not catch it.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind
        """The name of the failure in all tables, such as ``refused`` or ``bad status 503``."""
        self.detail = detail

    def __repr__(self) -> str:
        """The message alone, which is what Locust shows in its table of failures."""
        return str(self)


class OpenError(WorkloadError):
    """The connection could not be opened."""


class HttpError(WorkloadError):
    """A call of ``self.http`` was not answered in time, or the answer is a failure."""

    def __init__(self, kind: str, detail: str = "", *, response: Any = None) -> None:
        super().__init__(kind, detail)
        self.response = response
        """The answer, an ``httpx2.Response``; None if there was none."""


class LoginError(WorkloadError):
    """The connection opened, but the chat login did not complete."""


class ConnectionLost(WorkloadError):
    """The connection closed while a request was outstanding, or while waiting for a message."""


class MessageTimeout(WorkloadError):
    """An answer, or any message, did not come in time."""


class NotConnected(WorkloadError):
    """A message was not sent, because there is no open connection."""
