"""One WebSocket: opening, frames, closing, the names of its failures. The only importer of websockets beside
the test server.

May import: measure.
Never here: gevent, Locust, users.
"""
