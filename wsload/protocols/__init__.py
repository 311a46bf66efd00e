"""Conversations that wsload speaks, each a package with its sans-I/O session, its user class and its own
metrics and counters.

May import: measure, results, judge, load.
Never here: what another protocol could use: that belongs to load/users.
"""
