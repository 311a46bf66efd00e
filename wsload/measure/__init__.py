"""Pure measuring: histograms, the recorder, schedules. Knows no sockets, no Locust, no files."""
