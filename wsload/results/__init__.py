"""The results directory: the only writer and reader of its files, which are the contract between a run and everything
that is made from it later.

May import: measure.
Never here: judgements, formatting for people.
"""
