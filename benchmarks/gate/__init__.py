"""The gate of ``wsload compare`` against experiments whose truth is known.

``python -m benchmarks.gate`` makes the experiments and writes their table into ``docs/inside/gate-simulation.md``; a
test checks that the committed table is what the rules give.
"""
