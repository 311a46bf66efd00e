"""The protocols that wsload speaks: each is a package with its sans-I/O session, its user class and its own
metrics and counters.

May import: measure, results, judge, load.
Never here: anything that another protocol could use; that belongs in load/users.
"""
