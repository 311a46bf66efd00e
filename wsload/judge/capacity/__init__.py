"""How much a server can take: the search for the highest rate at which checks hold, and comparing two of them.

May import: measure, results, judge.figures, judge.run.
Never here: making runs, files, rendering.
"""
