"""``wsload selftest``: holds wsload's figures to a known truth on this machine.

May import: measure, results, judge, report, load.engine, load.users, protocols.chat, server.
Never here: typer.
"""
