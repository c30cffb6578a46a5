"""A short attack on the doors, by names, files, swapped links and addresses, and that it would see one succeed."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.attack import doors
from benchmarks.attack.addresses import attack_addresses
from benchmarks.attack.swaps import attack_swaps

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(sys.platform != "linux", reason="who opens a file is counted by Linux"),
]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[doors.Stage]:
    with doors.Stage(tmp_path.resolve()) as made:
        yield made


def test_no_name_leads_elsewhere(stage: doors.Stage) -> None:
    row = doors.through_names(stage, by_command=1, every=5)
    assert row.holds, row


def test_no_file_leads_elsewhere(stage: doors.Stage) -> None:
    row = doors.through_files(stage, every=20)
    assert row.holds, row


def test_no_swapped_link_leads_elsewhere(stage: doors.Stage) -> None:
    rows = attack_swaps(stage, 20.0, 400)
    assert [row for row in rows if not row.holds] == []


def test_no_address_leads_elsewhere() -> None:
    rows = attack_addresses(b"no clip", every=4)
    assert [row for row in rows if not row.holds] == []


def test_the_attack_sees_a_canary_that_is_touched(stage: doors.Stage) -> None:
    assert stage.touched() == 0
    assert stage.store("good.mp4").clip and stage.touched() == 0
    free = doors.Settings(home=stage.folder / "free", media_roots=(stage.root, stage.outside))
    stage.settings = free
    assert stage.store("secret.mp4").clip and stage.touched() > 0
