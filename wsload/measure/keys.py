r"""A name, and what is said of it, as one text: the keys of failures in files, and counters of doubts.

    open: refused
    shop:\ buy: timeout      the request is named "shop: buy"

In the name, the space of each ``: `` gets a backslash before it (one more where there are some), so the first ``: ``
ends it.
"""

from __future__ import annotations

import re
from typing import Final

BETWEEN: Final = ": "
_WITHIN: Final = re.compile(r":(\\*) ")
_WRITTEN: Final = re.compile(r":\\(\\*) ")


def join_key(what: str, said: str) -> str:
    """The key of a name and what is said of it: ``open: refused``."""
    return f"{_WITHIN.sub(_one_more, what)}{BETWEEN}{said}"


def split_key(key: str) -> tuple[str, str]:
    """What `join_key` put together; a key without a separator is a name of which nothing is said."""
    what, _, said = key.partition(BETWEEN)
    return _WRITTEN.sub(r":\1 ", what), said


def _one_more(found: re.Match[str]) -> str:
    return f":\\{found[1]} "
