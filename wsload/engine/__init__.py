"""The engine: asyncio on uvloop in a thread of its own. Knows nothing of gevent and Locust."""
