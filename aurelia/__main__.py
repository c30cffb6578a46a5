"""`aurelia` and `python -m aurelia`: the command line. An interrupt during its own imports is one line, too."""

import gc
import sys

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Python's own 700 have the garbage collector look through every imported module again and again: 0.2 s of a start."""


def main() -> None:
    """Run the command line and leave the process."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        from aurelia.cli.main import main as run
    except KeyboardInterrupt:
        sys.stderr.write("aurelia: interrupted. Run the same command again.\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
