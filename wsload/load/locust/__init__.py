"""The seam to gevent and Locust: the bridge between the two threads, user handles, Locust's statistics, and how a
process ends.

May import: measure, load.engine.
Never here: users, WebSockets.
"""
