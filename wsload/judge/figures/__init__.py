"""What a run shows: its summary, its figures over time, its distributions.

May import: measure, results.
Never here: verdicts.
"""
