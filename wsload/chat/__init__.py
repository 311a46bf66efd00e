"""The chat, sans-I/O: bytes in, events out. Knows no sockets, no clocks, no Locust."""
