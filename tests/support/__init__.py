"""What several test files share: the `locust` command, servers to load, certificates, a browser."""
