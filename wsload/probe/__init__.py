"""The second witness: one plain-socket connection in a small process of its own, stamped by the kernel.

The load generator measures itself with its own clock readings, on its own busy event loop. The
probe shares none of that: it logs in to the same room, posts a few times a second, and takes the
kernel's word for when its bytes left and when the echo's arrived. What it sees is the server's time
even while the load generator is late. It stands beside the engine and knows nothing of it.
"""
