"""A separate process that measures the chat's service time by the kernel's timestamps (``--ws-probe``). To be
independent of the users' mistakes it deliberately shares none of their measuring or framing code.

May import: measure, results, load.options, protocols.chat.conversation.
Never here: asyncio, websockets.
"""
