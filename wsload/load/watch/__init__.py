"""Watching a run from outside: live page, start form, Prometheus, OpenTelemetry, JSON lines.

May import: measure, results, judge, report, load.options, load.locust, load.users, load.run.
Never here: anything a run would need to go on.
"""
