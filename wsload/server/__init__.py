"""The chat server to load: ``wsload serve``, and embedded in a locustfile. It injects faults on request and keeps
an account of what it did.

May import: measure, load.engine, load.ws, protocols.
Never here: the load generator's figures.
"""
