"""The load generator: users on one uvloop thread per process, with Locust around it. The files directly in this
folder tie its subfolders together.

May import: measure, results, judge, report, load.
Never here: anything about a particular protocol.
"""
