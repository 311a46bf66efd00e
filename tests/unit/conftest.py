"""Hypothesis without its deadline: how long an example takes says nothing on a busy machine.

``WSLOAD_EXAMPLES`` says how many examples each law is tried with, 100 unless given.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("wsload", deadline=None, max_examples=int(os.environ.get("WSLOAD_EXAMPLES", "100")))
settings.load_profile("wsload")
