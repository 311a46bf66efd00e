"""The clients that are compared: separate programs and locustfiles, one process each."""

MESSAGE = "x" * 100
"""Sent and echoed."""
