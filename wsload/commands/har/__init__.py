"""The work of ``wsload from-har``: a browser's recording of WebSocket traffic into a locustfile.

The recording is foreign: its size is bounded, and whatever of it gets into the locustfile goes through `repr`.

May import: measure. Never here: Locust, opening connections.
"""
