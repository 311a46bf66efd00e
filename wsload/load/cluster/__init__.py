"""Master and workers: how intervals are sent, and how the master merges them.

May import: measure, results, judge.run.
Never here: users, sockets.
"""
