"""The table of situations."""

from tests.media import containers, pictures, stamps, tracks

ROWS = [*containers.ROWS, *stamps.ROWS, *tracks.ROWS, *pictures.ROWS]
