"""``python -m wsload`` is the ``wsload`` command."""

from wsload.cli import main

main()
