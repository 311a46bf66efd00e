"""One run in the process that owns its results: local, or the master.

May import: measure, results, judge, report, load.ws, load.options, load.locust, load.users, load.cluster.
Never here: Locust's events.
"""
