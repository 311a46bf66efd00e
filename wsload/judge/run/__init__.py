"""Judging one run: checks, and whether the load generator kept up.

May import: measure, results, judge.figures.
Never here: comparisons of several runs.
"""
