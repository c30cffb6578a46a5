"""`aurelia` and `python -m aurelia`: the command line. An interrupt during its own imports is one line, too."""

import sys


def main() -> None:
    """Run the command line and leave the process."""
    try:
        from aurelia.cli.main import main as run
    except KeyboardInterrupt:
        sys.stderr.write("aurelia: interrupted. Run the same command again.\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
