"""The cases: each measures what its name says once per round, and yields samples."""
