"""The results directory: the only writer and the only reader of its files. It is the contract between a run
and everything made from it later.

May import: measure.
Never here: judgements, formatting for people.
"""
