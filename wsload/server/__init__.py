"""The embedded chat server: the chat page's protocol, with faults to order. Runs in a process of its own."""
