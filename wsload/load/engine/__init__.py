"""The uvloop thread: loop, timers, pacer. The only importer of uvloop beside the test server.

May import: measure.
Never here: gevent, Locust, WebSocket frames.
"""
