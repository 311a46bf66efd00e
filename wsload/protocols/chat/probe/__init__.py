"""A small process of its own that measures the chat beside the users (``--ws-probe``), stamped by the
kernel. It shares no code with them where that would repeat their mistakes.

May import: measure, results, load.options, protocols.chat.conversation.
Never here: asyncio, websockets.
"""
