"""`python -m aurelia` is the command line."""

from aurelia.cli.main import main

main()
