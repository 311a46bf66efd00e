"""Makes the load: users on one uvloop thread per process, with Locust around it. Its own files tie the rooms
together.

May import: measure, results, judge, report, load.
Never here: a particular protocol's words.
"""
