"""User classes: a user's life on the loop, its tasks, and the methods that these call. Everything here runs on the
loop's thread unless it says otherwise; the subfolders hold what it is built of.

May import: measure, results, judge.run, load.engine, load.ws, load.options, load.locust, load.users.
Never here: anything about a particular protocol, or about master and workers.
"""
