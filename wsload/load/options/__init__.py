"""wsload's options on Locust's command line: the table, their parsing, and the settings that result.

May import: measure, judge, load.ws.
Never here: Locust, state of a run.
"""
