"""The cases: each measures once a round what its name says, and yields samples."""
