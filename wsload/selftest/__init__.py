"""The proof of the figures: real runs against the embedded server, held against the server's own account."""
