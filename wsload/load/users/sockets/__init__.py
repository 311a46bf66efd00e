"""A user's WebSockets: kept open, sending requests, receiving messages, and counting what becomes of them.

May import: measure, load.engine, load.ws, load.users.matching, load.users.context.
Never here: a user's tasks and its life, Locust's ways.
"""
