"""The chat of MDN's WebSocket guide: its user class and what it counts.

May import: measure, results, judge, load, protocols.chat.conversation, protocols.chat.probe.
Never here: opening connections, the server's side.
"""
