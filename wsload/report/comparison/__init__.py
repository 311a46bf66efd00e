"""The reports of a comparison of builds.

May import: measure, results, judge, report.
Never here: computing verdicts.
"""
