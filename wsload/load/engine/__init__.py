"""The engine: the uvloop thread with its timers, heartbeat and pacer. Besides the chat server it alone imports uvloop.

May import: measure.
Never here: gevent, Locust, WebSocket frames.
"""
