"""Runs a probe until standard input ends; prints a line of JSON a second.

Without ``--url`` the first line of standard input holds the options as JSON, so that secrets don't show up in
process lists.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import socket
import sys
from typing import Final

from wsload.errors import UsageError
from wsload.exit_codes import ExitCode
from wsload.protocols.chat.probe.options import NAME, RATE, ProbeOptions
from wsload.protocols.chat.probe.result import ProbeResult
from wsload.protocols.chat.probe.talk import Probe
from wsload.protocols.chat.probe.wire import Waiter

MAX_LINE_BYTES: Final = 1 << 20


def main() -> int:
    """Runs a probe; returns the exit code, after printing what was wrong with the options, if anything."""
    try:
        options = _options()
        stop, told = socket.socketpair()
        told.setblocking(False)
        signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        gc.freeze()
        Probe(options, Waiter([sys.stdin.fileno(), stop.fileno()]), _emit).run()
    except UsageError as error:
        print(f"wsload.protocols.chat.probe: {error}", file=sys.stderr)
        return ExitCode.USAGE
    return ExitCode.OK


def _options() -> ProbeOptions:
    parser = argparse.ArgumentParser(prog="python -m wsload.protocols.chat.probe", description=__doc__)
    parser.add_argument("--url", help="ws:// or wss:// URL to open")
    parser.add_argument("--rate", type=float, default=RATE, help="posts a second (%(default)s)")
    parser.add_argument("--name", default=NAME, help="name in the room (%(default)s)")
    parser.add_argument("--ca-file", default="", help="PEM file of the authorities to trust")
    parser.add_argument("--insecure", action="store_true", help="do NOT verify certificates")
    given = parser.parse_args()
    if given.url is not None:
        return ProbeOptions(**vars(given))
    return ProbeOptions.from_json(_first_line(sys.stdin.fileno()))


def _first_line(fd: int) -> str:
    # Not with sys.stdin, whose buffer would hide data from `select`.
    line = b""
    while not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES:
        read = os.read(fd, 1)
        if not read:
            break
        line += read
    return line.decode(errors="replace")


def _emit(result: ProbeResult) -> None:
    try:
        os.write(sys.stdout.fileno(), result.to_json().encode() + b"\n")
    except BrokenPipeError:  # the parent is gone
        sys.exit(ExitCode.BROKEN)


if __name__ == "__main__":
    sys.exit(main())
