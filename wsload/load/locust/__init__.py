"""The seam to gevent and Locust: the bridge between the two threads, user handles, Locust's statistics.

May import: measure, load.engine.
Never here: users, WebSockets.
"""
