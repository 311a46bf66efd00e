"""``wsload capacity``: the search for the highest load at which checks hold, a real run a step.

May import: measure, results, judge, report, load.ws, commands.harness.
Never here: typer, statistics.
"""
