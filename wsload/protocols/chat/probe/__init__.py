"""A separate process that measures the chat's service time beside the users (``--ws-probe``), by the kernel's
timestamps. It deliberately shares none of their measuring or protocol code, nor its mistakes.

May import: measure, results, load.options, protocols.chat.conversation.
Never here: asyncio, websockets.
"""
