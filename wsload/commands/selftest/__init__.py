"""``wsload selftest``: checks wsload's figures against a known truth on this machine.

May import: measure, results, judge, report, load.engine, load.users, protocols.chat, server.
Never here: typer.
"""
