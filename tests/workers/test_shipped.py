"""The shipped workers with the makers' code and tiny random weights.

AURELIA_WORKER_REPOSITORIES is a folder with the checkouts, AURELIA_WORKER_ENVIRONMENTS one with the environments; each
has a folder with the worker's name. Without them the tests are skipped by name.
"""

import json
import os
import re
import subprocess
import wave
from pathlib import Path
from typing import Any

import pytest

from aurelia_core.errors import ModelError
from aurelia_core.media import ClipStore
from aurelia_core.models.worker.chat import make_worker
from aurelia_core.settings import Settings
from targets import target_rows
from tests.support.requests import compose_messages

SHIPPED = Path(__file__).parents[2] / "targets" / "workers"
NAMES = sorted(path.stem for path in SHIPPED.glob("*.py"))


def test_every_worker_row_says_what_was_seen_and_every_script_has_a_lock_and_a_row() -> None:
    rows = {name: row.worker for name, row in target_rows().items() if row.run == "worker"}
    shipped = set()
    for name, record in rows.items():
        assert record, f"{name} does not say what was seen of its worker"
        if record.state != "cannot":
            shipped.add(record.script or name)
        assert record.log is None or re.search(r"commit [0-9a-f]{40}, Python 3", record.log)
    assert sorted(shipped) == NAMES
    for name in NAMES:
        lines = [line for line in (SHIPPED / f"{name}.txt").read_text().splitlines() if not line.startswith("#")]
        assert lines and all("==" in line or line.startswith("-r ") for line in lines)


def test_the_table_of_the_manual_has_the_states_of_the_rows() -> None:
    manual = (SHIPPED.parents[1] / "docs" / "workers.md").read_text()
    rows = {name: row.worker for name, row in target_rows().items() if row.run == "worker"}
    expected = [f"| `{name}` | {record.summary} |" for name, record in rows.items() if record]
    assert re.findall(r"^\| `\w+` \| (?:ran|written|cannot).*$", manual, re.MULTILINE) == expected


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_it_answers_about_picture_and_sound_with_random_weights(name: str, tmp_path: Path, duet: Path) -> None:
    folders = []
    for variable in ("AURELIA_WORKER_REPOSITORIES", "AURELIA_WORKER_ENVIRONMENTS"):
        folder = Path(os.environ.get(variable, "/nowhere")) / name
        if not folder.is_dir():
            pytest.skip(f"{variable} has no folder {name}")
        folders.append(folder)
    repository, environment = folders
    python, checkpoint = environment / "bin" / "python", tmp_path / "checkpoint"
    tiny = Path(__file__).parent / "tiny" / f"{name}.py"
    subprocess.run([python, tiny, repository, checkpoint], check=True, capture_output=True)
    if (checkpoint / "repository").is_dir():  # Their code with small sizes, where these stand in it.
        repository = checkpoint / "repository"
    options: dict[str, Any] = {"checkpoint": str(checkpoint), "device": "cpu", "dtype": "float32"}
    if (checkpoint / "options.json").is_file():
        options |= json.loads((checkpoint / "options.json").read_text())
    settings = {"protocol": 2, "python": str(python), "script": str(SHIPPED / f"{name}.py"), "folder": str(repository)}
    row = next(row for key, row in target_rows().items() if name == ((row.worker and row.worker.script) or key))
    settings |= {"frames": row.frames or 16, "decoding": ["max_tokens"]}
    if row.together is False:  # Either of both: asked about the sound.
        settings["sees"] = False
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    lines += ["[options]", *(f"{key} = {json.dumps(value)}" for key, value in options.items())]
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / f"{name}.toml").write_text("\n".join(lines))
    worker = make_worker(name, ClipStore(Settings(home=tmp_path, allow_any_file=True)))
    clip = worker.store.admit(str(duet))
    fields: dict[str, Any] = {"role": "target", "clip": clip, "tracks": [], "duration": clip["duration"]}
    fields |= {"decoding": {"max_tokens": 8}, "when_deaf": "evidence"}
    messages = compose_messages("What is heard?", fields, sees_clip=True)
    try:
        first = worker.invoke(messages).text
        assert first and worker.invoke(messages).text == first
        request = worker.request(messages, tmp_path)
        with wave.open(request["sound"], "rb") as sound:
            assert sound.getframerate() == 16_000
        # A sound that cannot be read is an error of the call, not an answer about silence.
        Path(request["sound"]).write_bytes(b"no sound")
        with pytest.raises(ModelError, match="refused to answer"):
            worker._process.ask("answer", 60, request=request)
    finally:
        worker.close()
