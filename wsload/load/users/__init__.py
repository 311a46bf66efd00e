"""User classes: a user's life on the loop, its sockets, and what it measures. Everything here runs on the
loop's thread unless it says otherwise.

May import: measure, results, judge.run, load.engine, load.ws, load.options, load.locust.
Never here: anything about a particular protocol, or about master and workers.
"""
