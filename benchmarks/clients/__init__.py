"""The clients that are compared: programs and locustfiles of their own, one process each."""

MESSAGE = "x" * 100
"""What is sent and comes back."""
