"""Judging one run: checks, whether the load generator kept up, and what earlier runs had.

May import: measure, results, judge.figures.
Never here: whether one build is slower than another.
"""
