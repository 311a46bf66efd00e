"""One WebSocket: opening, frames, closing, the names of its failures. The only importer of websockets beside
the test server.

May import: measure, load.engine.
Never here: gevent, Locust, users.
"""
