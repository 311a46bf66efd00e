"""What the figures mean, computed from results alone: a run's figures, whether to trust them, and how builds
compare. Pure, except that `run/check_file.py` reads files of checks.

May import: measure, results.
Never here: sockets, Locust, rendering.
"""
