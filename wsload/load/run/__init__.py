"""A run, in the process that owns its results: the local process, or the master.

May import: measure, results, judge, report, load.ws, load.options, load.locust, load.users, load.cluster.
Never here: Locust's events.
"""
