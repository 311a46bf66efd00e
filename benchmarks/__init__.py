"""wsload's cost compared with other clients': ``python -m benchmarks``. See README.md here."""
