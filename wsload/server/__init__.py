"""The chat server to load: ``wsload serve``, or embedded in a locustfile. It injects faults on request, and counts
what it did.

May import: measure, load.engine, load.ws, protocols.
Never here: the load generator's figures.
"""
