"""The chat server to load: ``wsload serve``, and embedded in a locustfile. It keeps an account of its own,
and has faults to order.

May import: measure, load.engine, load.ws, protocols.
Never here: figures of the load generator.
"""
