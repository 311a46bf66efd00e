"""What wsload uses of ``rich`` without its documentation promising it.

The canary in tests/unit/test_compat_report.py names the version when a release changes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.padding import Padding


def inside(view: object) -> Sequence[object]:
    """What a `Group` or `Padding` shows; nothing for any other view."""
    match view:
        case Group():
            return view.renderables
        case Padding():
            return (view.renderable,)
    return ()
