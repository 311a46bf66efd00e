"""Comparing builds: pairs of runs, confidence intervals of ratios, the gate and its verdicts.

May import: measure, results, judge.figures, judge.run.
Never here: files, rendering.
"""
