"""What experiments of many runs are made of: builds, their servers, and single Locust runs.

May import: measure, results, judge, report, load.ws.
Never here: typer, the order of runs, statistics.
"""
