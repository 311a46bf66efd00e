"""The load generator and latency benchmark for WebSocket chat servers."""
