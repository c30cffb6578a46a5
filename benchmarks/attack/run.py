"""`make attack`: hostile clips, paths and text, failing providers and machines; fails where a bound is broken.

Each area is a module of this folder with `attack(minutes, seed) -> list[Row]`, which stops when its time is used up;
those that count trials take how many as well.
"""

import argparse
import importlib
import sys

from benchmarks.attack.row import Row

AREAS = ("mutants", "doors", "wording", "outages", "kills", "leaks")
COUNTED = ("mutants", "outages", "kills")
"""Areas that take a number: of mutants, of questions, of kills of a kind."""


def main() -> None:
    """Runs the areas named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=", ".join(AREAS) + "; all when none is named")
    parser.add_argument("--minutes", type=float, default=10.0, help="the longest that one area may take")
    parser.add_argument("--trials", type=int, help=f"how many, for one of {', '.join(COUNTED)} (default: all of them)")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    if unknown := set(arguments.areas) - set(AREAS):
        parser.error(f"there is no area {', '.join(sorted(unknown))}; there are {', '.join(AREAS)}")
    if arguments.trials is not None and (len(arguments.areas) != 1 or not {*arguments.areas} <= {*COUNTED}):
        parser.error(f"--trials goes with one of {', '.join(COUNTED)}")
    more = () if arguments.trials is None else (arguments.trials,)
    held = True
    for area in arguments.areas or AREAS:
        rows: list[Row] = importlib.import_module(f"benchmarks.attack.{area}").attack(
            arguments.minutes, arguments.seed, *more
        )
        for row in rows:
            held &= row.holds
            print(
                f"{row.area:10}{row.what}: {row.measured} (bound: {row.bound}){'' if row.holds else '  BROKEN'}",
                flush=True,
            )
    sys.exit(not held)


if __name__ == "__main__":
    main()
