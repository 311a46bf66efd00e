"""Master and workers: intervals on their way, and their merging.

May import: measure, results, judge.run.
Never here: users, sockets.
"""
