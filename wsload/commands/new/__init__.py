"""The work of ``wsload new``: a first locustfile, its checks and a CI workflow, from the examples.

May import: nothing. Never here: Locust, running anything.
"""
