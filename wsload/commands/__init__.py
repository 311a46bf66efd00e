"""The ``wsload`` command.

May import: measure, results, judge, report, load, protocols, server.
Never here: computing or rendering what judge/ and report/ could.
"""
