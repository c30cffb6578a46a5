"""`python -m aurelia` is the command line."""

from aurelia.cli import main

main()
