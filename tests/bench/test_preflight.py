"""What a run refuses, tells and stops before it costs much; and what is left of a damaged run."""

import io
import random
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from aurelia.bench.export import run_status
from aurelia.bench.preflight import calls_to_come, cost_to_come
from aurelia.bench.progress import ProgressDisplay
from aurelia.bench.run_file import RunFile
from aurelia.bench.run_plan import Plan
from aurelia.bench.salvage import salvage_run
from aurelia.cli.bench import bench_app
from aurelia_core.errors import InputError, ModelError
from aurelia_core.models.base import ClipModel
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.types import NO_USAGE
from state.context import Context
from tests.support.bench_records import made_run
from tests.support.bench_runs import Bench, line, player
from tests.support.scripted import ScriptedChat


class Deaf(ScriptedChat, ClipModel):
    """A scripted model that sees and does not hear."""

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        if sees_clip:
            media.check("scripted:one", self.missing_modalities(media))

    def missing_modalities(self, media: MediaRequest) -> Any:
        return media.missing_modalities(sees=True, hears=False)


async def test_a_deaf_target_on_clips_with_sound_stops_at_once(tmp_path: Path, duet: Path) -> None:
    plain = player()
    model = Deaf(script={}, said=plain.said, heard=[])
    place, events = Bench.with_copy(duet, tmp_path, model), []
    with pytest.raises(InputError, match="nothing was paid: scripted:one does not hear, and this clip has sound"):
        await place.run([line(number) for number in range(20)], events=events)
    assert (model.heard, events, place.out.exists()) == ([], [], False)


def refuses(number: int) -> Any:
    """A target that does not answer the questions before that number, each with a name of its own in the error."""

    def target(fields: dict[str, Any], messages: Any) -> Any:
        asked = int(re.findall(r"\((\d+)\)", fields["question"])[0])
        if asked < number:
            return ModelError(f"scripted:one did not answer (status 400: no place {asked} for 'q{asked}').", status=400)
        return "with"

    return target


async def test_a_run_whose_first_answers_all_fail_alike_stops_and_says_so(tmp_path: Path, duet: Path) -> None:
    plan = Plan(arms=("zero_shot",), concurrency=1, stop_after_failures=3)
    place = Bench.with_copy(duet, tmp_path, player(target=refuses(99)))
    end = await place.run([line(number) for number in range(20)], plan)
    assert end["stopped_by"].startswith("the first 3 answers all failed with one error: scripted:one did not answer")
    assert end["arms"]["zero_shot"]["failed"] == 3 and end["left"] == 17


async def test_a_run_goes_on_if_one_of_the_first_is_answered(tmp_path: Path, duet: Path) -> None:
    plan = Plan(arms=("zero_shot",), concurrency=1, stop_after_failures=3)
    place, events = Bench.with_copy(duet, tmp_path, player(target=refuses(2))), []
    end = await place.run([line(number) for number in range(6)], plan, events=events)
    assert (end["stopped_by"], end["arms"]["zero_shot"]["failed"]) == (None, 2)
    assert events[0]["calls_to_come"] == [6, 6]
    assert events[-2]["tokens_to_come"] == 0 and events[3]["tokens_to_come"] > 0


def test_calls_to_come_are_a_range_unless_all_attempts_are_made() -> None:
    pending = ["zero_shot"] * 10 + ["aurelia"] * 10
    assert calls_to_come(pending, Context(max_iterations=5)) == (10 + 40, 10 + 10 * (15 + 4 + 1))
    assert calls_to_come(pending, Context(max_iterations=1)) == (50, 50)
    full = calls_to_come(["aurelia"], Context(max_iterations=3, early_stop=False))
    assert full.least == full.most == 3 * 3 + 2 + 1


def test_cost_to_come_is_that_of_the_answers_made() -> None:
    usage: Any = {**NO_USAGE, "input_tokens": 900, "output_tokens": 100, "cost_usd": 0.5}
    assert cost_to_come(usage, 10, 30) == {"tokens_to_come": 3000, "cost_usd_to_come": 1.5}
    assert cost_to_come({**usage, "cost_usd": None}, 10, 30)["cost_usd_to_come"] is None
    assert cost_to_come(usage, 0, 30) == {"tokens_to_come": None, "cost_usd_to_come": None}


def test_the_lines_tell_failures_and_what_is_to_come() -> None:
    text = io.StringIO()
    arms = {"aurelia": {"answered": 1, "failed": 2, "captions": 0, "scored": 1, "unparsed": 0, "accuracy": 1.0}}
    come = {"tokens_to_come": 4000, "cost_usd_to_come": 1.25}
    usage = {**NO_USAGE, "calls": 3, "cost_usd": 0.5}
    with ProgressDisplay(Console(file=text, width=200)) as display:
        start = {"event": "start", "run": "x.run", "questions": 9, "left_out": 0, "to_do": 9}
        start |= {"planned": 9, "arms": {}, "usage": usage}
        display.event({**start, "calls_to_come": [36, 90], **come})
        display.event({"event": "outcome", "done": 3, "to_do": 9, "planned": 9, "arms": arms, "usage": usage, **come})
    said = text.getvalue()
    assert "To come: 9 answers, 36 to 90 calls, about 4,000 tokens and $1.25 to come" in said
    assert "1/9  2 failed  AURELIA 100.0%" in said


def test_status_says_of_how_many_and_how_long(tmp_path: Path) -> None:
    path = made_run(tmp_path / "made.run", 60)
    told = CliRunner().invoke(bench_app, ["status", str(path)]).stdout
    found = run_status(path)
    assert f"{found['planned'] - found['left']} of 120 answers, 2 failed" in told


def damaged(path: Path, at: float) -> None:
    """Overwrites one page in the middle of the file."""
    content = bytearray(path.read_bytes())
    page = 4096
    place = int(len(content) / page * at) * page
    content[place : place + page] = random.Random(1).randbytes(page)
    path.write_bytes(bytes(content))


def test_what_is_whole_in_a_damaged_run_is_saved(tmp_path: Path) -> None:
    path = made_run(tmp_path / "made.run", 200)
    with RunFile.open(path) as opened:
        opened._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        whole = {(one.record, one.arm): one.answer for one in opened.outcomes()}
    damaged(path, 0.6)
    counts = salvage_run(path, tmp_path / "new.run")
    with RunFile.open(tmp_path / "new.run") as opened:
        saved = {(one.record, one.arm): one.answer for one in opened.outcomes()}
        assert sum(1 for _ in opened.records()) == counts["records"].read
    assert 0.8 * len(whole) < len(saved) <= len(whole)
    assert saved.items() <= whole.items()
    assert counts["outcomes"].read == len(saved)


def test_what_cannot_be_salvaged_is_refused(tmp_path: Path) -> None:
    path = made_run(tmp_path / "made.run", 3)
    with pytest.raises(InputError, match="exists already"):
        salvage_run(path, path)
    with pytest.raises(InputError, match="no run file 'none.run'"):
        salvage_run(tmp_path / "none.run", tmp_path / "new.run")
    (tmp_path / "text.run").write_text("no database" * 500)
    with pytest.raises(InputError, match="cannot be salvaged"):
        salvage_run(tmp_path / "text.run", tmp_path / "new.run")
    assert not (tmp_path / "new.run").exists()
    ended = CliRunner().invoke(bench_app, ["salvage", str(path), "--out", str(tmp_path / "copy.run")])
    assert "outcomes      6 rows" in ended.stdout
