"""One WebSocket: opening, frames, closing, the names of its failures. Besides the test server, the only package that
imports websockets.

May import: measure, load.engine.
Never here: gevent, Locust, users.
"""
