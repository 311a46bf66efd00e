"""The chat, sans-I/O: bytes in, events out, for the client and the server alike.

May import: nothing.
Never here: sockets, clocks, Locust.
"""
