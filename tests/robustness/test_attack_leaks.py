"""The attack on keys in short: a run full of errors, searched whole; planted threads and model folders run nothing."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from aurelia_offline.world.scene import Scene, write_scene
from benchmarks.attack import leaks, planted
from tests.support.postgres import NoDatabase, started
from tests.support.stage import DUET


@pytest.mark.enable_socket
def test_no_key_is_left_by_a_run_full_of_errors(tmp_path: Path) -> None:
    row = leaks.runs(tmp_path, 7, 6, shell=False)
    assert row.holds, row


async def test_a_planted_thread_runs_nothing(tmp_path: Path) -> None:
    write_scene(Scene.model_validate(DUET), tmp_path / "duet.mp4")
    row = await planted.threads(tmp_path)
    assert row.holds, row


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    try:
        with started() as url:
            yield url
    except NoDatabase as why:
        pytest.skip(str(why))


@pytest.mark.enable_socket
async def test_a_thread_planted_in_postgres_runs_nothing(postgres: str, tmp_path: Path) -> None:
    write_scene(Scene.model_validate(DUET), tmp_path / "duet.mp4")
    row = await planted.threads_in_postgres(tmp_path, postgres)
    assert row.holds, row


@pytest.mark.enable_socket
async def test_a_reader_that_unpickles_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    write_scene(Scene.model_validate(DUET), tmp_path / "duet.mp4")
    pickled = planted.checkpoints(tmp_path / "mark")[:1]
    monkeypatch.setattr(planted, "checkpoints", lambda mark: pickled)
    monkeypatch.setattr(
        "aurelia.run.checkpointers.plain_data_serializer", lambda: JsonPlusSerializer(pickle_fallback=True)
    )
    assert not (await planted.threads(tmp_path)).holds


def test_a_planted_model_folder_runs_nothing(tiny_omni: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURELIA_LOCAL_DEVICE", "cpu")
    monkeypatch.setenv("AURELIA_LOCAL_TOKENS", "8")
    write_scene(Scene.model_validate(DUET), tmp_path / "duet.mp4")
    row = planted.folders(tiny_omni, tmp_path)
    assert row.holds, row
    assert "(0 loaded" not in row.what, "where the known architecture is enough, it is used without the code"


@pytest.mark.parametrize("lead", ["", "x", "xy", "Bearer "])
def test_the_search_finds_a_key_however_it_is_written(lead: str) -> None:
    for text in (f"{lead}{leaks.KEY}!", f"?key={leaks.quote(leaks.KEY, safe='')}&"):
        assert leaks.holding(text.encode())
    assert leaks.holding(base64.b64encode(f"{lead}{leaks.KEY} and more".encode()))
    page = f'<!doctype html>"{base64.b64encode(leaks.gzip.compress(leaks.KEY.encode())).decode()}"'
    assert leaks.holding(page.encode())
    assert not leaks.holding(b"nothing of the kind")


def test_the_bombs_are_live(tmp_path: Path) -> None:
    """What is planted would leave its mark, were it unpickled."""
    import pickle

    kind, data = planted.checkpoints(tmp_path / "mark")[0]
    assert kind == "pickle"
    pickle.loads(data)
    assert (tmp_path / "mark").exists()
