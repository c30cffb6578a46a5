"""The attacks of kills, machines and damaged files (`make attack`), in short: every figure of them holds."""

import random
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.attack import damage, kills, machine
from tests.support.kill_process import Place

pytestmark = pytest.mark.enable_socket
NEVER = float("inf")


def broken(*rows: Any) -> list[Any]:
    assert rows
    return [row for row in rows if not row.holds]


@pytest.mark.timeout(600)
def test_threads_that_are_killed_lose_and_repeat_nothing(tmp_path: Path, duet: Path) -> None:
    place = Place(tmp_path, duet, 1)
    try:
        rows = kills.threads(place, str(tmp_path / "threads.sqlite"), 2, NEVER, random.Random(3))
    finally:
        place.close()
    assert broken(*rows) == []
    assert rows[0].measured == "2 killed"


def test_a_disk_that_gives_out_is_said_and_loses_nothing(tmp_path: Path) -> None:
    assert broken(*machine.full(tmp_path, [8192], NEVER)) == []


def test_a_clock_that_goes_back_changes_nothing(tmp_path: Path) -> None:
    assert broken(*machine.clock(tmp_path)) == []


@pytest.mark.parametrize(
    ("kind", "parts"), [(damage.ledger, 4), (damage.threads, 3), (damage.run_file, 3), (damage.cache, 1)]
)
def test_a_damaged_file_is_read_right_or_refused_by_name(tmp_path: Path, kind: Any, parts: int) -> None:
    assert broken(kind(machine.site(tmp_path), parts, random.Random(1), NEVER)) == []


def test_a_read_that_is_wrong_is_counted(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"right")

    def read(path: Path) -> str:
        if path.read_bytes() == b"right":
            return damage.RIGHT
        raise KeyError("not ours")

    ends = damage.trials(tmp_path / "x", 2, random.Random(1), time.monotonic() + 60, read)
    assert (ends.counts[damage.RIGHT], ends.counts["wrong"], len(ends.wrong)) == (1, 6, 6)
    assert not ends.row("x").holds
    assert (tmp_path / "x").read_bytes() == b"right"
