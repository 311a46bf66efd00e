"""Pure measuring: histograms, intervals, the recorder, schedules. All recorded times are whole nanoseconds.

May import: nothing.
Never here: sockets, files, Locust.
"""
