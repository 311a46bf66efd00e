"""Pure measuring: histograms, intervals, the recorder, schedules. All times are whole nanoseconds.

May import: nothing.
Never here: sockets, clocks, files, Locust.
"""
