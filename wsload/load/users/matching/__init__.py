"""Which message answers which request: pure bookkeeping, without clocks or sockets.

May import: measure.
Never here: asyncio, recording, connections.
"""
