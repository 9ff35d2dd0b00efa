"""`python -m solvable` is the command line."""

from solvable.cli import main

main()
