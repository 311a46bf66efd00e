"""The reports of a search for a capacity.

May import: measure, results, judge, report.
Never here: computing verdicts.
"""
