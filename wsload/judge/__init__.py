"""What the figures mean, computed from results alone: a run's figures, whether to trust them, and how builds
compare. Pure.

May import: measure, results.
Never here: files, sockets, formatting for people.
"""
