"""``wsload ab``: an experiment of many runs, with a fresh server for each.

May import: measure, results, judge, report, load.ws, commands.harness.
Never here: typer, statistics.
"""
