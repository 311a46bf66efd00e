"""A run's figures: its summary, its time series, its distributions.

May import: measure, results.
Never here: verdicts.
"""
