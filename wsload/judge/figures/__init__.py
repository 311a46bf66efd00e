"""What a run shows: its summary, its course over time, its distributions.

May import: measure, results.
Never here: verdicts.
"""
