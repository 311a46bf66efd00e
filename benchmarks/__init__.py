"""wsload's cost beside the others': ``python -m benchmarks``. See README.md here."""
