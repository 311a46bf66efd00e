"""The exit codes of ``wsload``, and of ``locust`` with wsload; each means one thing.

| code | name | meaning |
|---:|---|---|
| 0 | `ExitCode.OK` | all went well: checks passed, the candidate is shown not to be slower |
| 1 | `ExitCode.FAILED` | a check failed, the candidate is slower or fails more, the selftest failed |
| 2 | `ExitCode.USAGE` | a mistake in the command or its files; nothing was measured |
| 3 | `ExitCode.UNTRUSTED` | the figures, or those that a check is on, can't be trusted |
| 4 | `ExitCode.INCONCLUSIVE` | a comparison or search has no clear result, or was cut short |
| 5 | `ExitCode.NOTHING_MEASURED` | the load ran, but there is no figure to judge |
| 6 | `ExitCode.SERVER_FAILED` | the server under test did not start, or ended while it was loaded |
| 7 | `ExitCode.BROKEN` | wsload could not do its work, such as storing results on a full disk, or has a bug |

Locust itself ends with 1 when requests failed (``--exit-code-on-error``) and with 2 for most mistakes in its options.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """See the table above."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNTRUSTED = 3
    INCONCLUSIVE = 4
    NOTHING_MEASURED = 5
    SERVER_FAILED = 6
    BROKEN = 7
