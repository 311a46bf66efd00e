"""``python -m wsload`` is the ``wsload`` command."""

from wsload.commands.cli import main

main()
