"""The engine: the uvloop thread with its timers, heartbeat and pacer. Only it and the chat server import uvloop.

May import: measure.
Never here: gevent, Locust, WebSocket frames.
"""
