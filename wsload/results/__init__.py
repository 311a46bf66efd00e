"""The results directory: the only code that writes and reads its files. They are the contract between a run and
everything made from it later.

May import: measure.
Never here: judgements, formatting for people.
"""
