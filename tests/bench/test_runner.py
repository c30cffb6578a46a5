"""The runner around a scripted model: what it asks, stores, tries again, refuses, and how it goes on."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aurelia.bench.run_file import RunFile
from aurelia.bench.run_plan import Budget, Plan
from aurelia_core.errors import AureliaError, InputError, ModelError, SettingsError
from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
from tests.support.bench_runs import Bench, line, player
from tests.support.clips import film
from tests.support.scripted import ScriptedChat, reasoning, verdict

ONE = Plan(concurrency=1)


@pytest.fixture
def bench(tmp_path: Path, duet: Path) -> Callable[[ScriptedChat], Bench]:
    """Makes a Bench for a model, with duet.mp4 in its media folder."""
    return partial(Bench.with_copy, duet, tmp_path)


def counted(answered: int, failed: int, *, unparsed: int, right: int) -> dict[str, Any]:
    """The counts of an arm without captions."""
    accuracy = round(right / answered, 4)
    found = {"answered": answered, "failed": failed, "captions": 0, "scored": answered}
    return {**found, "unparsed": unparsed, "right": right, "accuracy": accuracy}


def busy(number: int, times: int = 99) -> Any:
    """A target that does not answer the question of that number, for so many calls."""
    left = [times]

    def target(fields: dict[str, Any], messages: Any) -> Any:
        if f"({number})" in fields["question"] and left[0] > 0:
            left[0] -= 1
            return ModelError("scripted:one did not answer (status 500: no).", status=500)
        return "with" if fields["reasoning"] else "without"

    return target


async def test_both_arms_are_asked_once_and_a_second_time_nothing(bench: Any) -> None:
    model = player(evaluator=[verdict(9)])
    place, events = bench(model), []
    lines = [line(1, choices=["with", "without"]), line(2, answers=["without"])]
    end = await place.run(lines, events=events)
    assert model.said == {"generator": 2, "summarizer": 2, "evaluator": 2, "target": 4}
    assert [event["event"] for event in events] == ["start", *["outcome"] * 4, "end"]
    assert end["arms"] == {
        "zero_shot": counted(2, 0, unparsed=0, right=1),
        "aurelia": counted(2, 0, unparsed=1, right=1),
    }
    assert (end["left"], end["stopped_by"], end["usage"]["calls"]) == (0, None, 10)
    assert end["usage"]["cost_usd"] == pytest.approx(0.10)
    found = {(outcome.record, outcome.arm): outcome for outcome in place.outcomes()}
    assert {key: outcome.answer for key, outcome in found.items()} == {
        (name, arm): said for name in ("q1", "q2") for arm, said in (("aurelia", "with"), ("zero_shot", "without"))
    }
    assert [found["q1", arm].choice for arm in ("aurelia", "zero_shot")] == ["with", "without"]
    assert [found["q1", arm].usage["calls"] for arm in ("aurelia", "zero_shot")] == [4, 1]
    aurelia = found["q1", "aurelia"].result
    assert (aurelia["score"], aurelia["stop_reason"], aurelia["best"]["answer"]) == (
        9,
        "threshold",
        "What is heard (1)? answer",
    )
    assert found["q1", "zero_shot"].result.keys() == {"clip", "models", "warnings"}

    again = await place.run(lines)
    assert sum(model.said.values()) == 10
    assert again["arms"] == end["arms"]
    assert again["usage"] == end["usage"]


async def test_questions_about_a_clip_stand_together_and_it_is_read_once(bench: Any) -> None:
    place = bench(player())
    (place.media / "other.mp4").write_bytes((place.media / "duet.mp4").read_bytes() + b"\0\0\0\x08free")
    names = ["duet.mp4", "other.mp4", "duet.mp4", "other.mp4"]
    events: list[dict[str, Any]] = []
    await place.run([line(n, video=name) for n, name in enumerate(names)], Plan(concurrency=8), events=events)
    assert place.store.decode_count == 2
    asked = [fields["clip"]["id"] for role, fields, _ in place.model.heard if role == "generator"]
    assert len(set(asked)) == 2
    await place.run([line(n, video=name) for n, name in enumerate(names)], ONE, rollout=1, events=events)
    assert [event["record"] for event in events if event["event"] == "outcome"][8::2] == ["q0", "q2", "q1", "q3"]
    assert place.store.decode_count == 2


async def test_zero_shot_alone_asks_no_agent_and_needs_none_of_their_models(bench: Any) -> None:
    place = bench(player())
    await place.run([line(1)], Plan(arms=("zero_shot",)), generator="openai:none", evaluator="nowhere:none")
    assert place.model.said == {"target": 1}
    assert [(outcome.arm, outcome.answer) for outcome in place.outcomes()] == [("zero_shot", "without")]
    with RunFile.open(place.out) as run:
        assert run.meta["models"] == {"target": "scripted:one"}


async def test_aurelia_alone_asks_the_target_once(bench: Any) -> None:
    place = bench(player())
    await place.run([line(1)], Plan(arms=("aurelia",)))
    assert place.model.said["target"] == 1
    assert [(outcome.arm, outcome.answer) for outcome in place.outcomes()] == [("aurelia", "with")]


async def test_what_failed_is_asked_again_so_often_and_ends_nothing(bench: Any) -> None:
    place = bench(player(target=busy(1)))
    lines, plan = [line(n) for n in range(3)], Plan(max_tries=2)
    for tries in (1, 2, 2):
        end = await place.run(lines, plan)
        assert end["arms"]["aurelia"] == counted(2, 1, unparsed=0, right=2)
        assert [outcome.tries for outcome in place.outcomes() if outcome.state == "failed"] == [tries, tries]
    assert (end["to_do"], end["given_up"]) == (0, 2)
    failed = place.outcomes()[2]
    assert (failed.record, failed.answer, failed.error) == ("q1", None, "scripted:one did not answer (status 500: no).")
    assert failed.usage["calls"] == 3
    place.model.script["target"] = ["there"]
    end = await place.run(lines, Plan(max_tries=3))
    assert end["arms"]["aurelia"] == counted(3, 0, unparsed=1, right=2)
    assert [outcome.tries for outcome in place.outcomes()] == [1, 1, 3, 3, 1, 1]
    assert [outcome.usage["calls"] for outcome in place.outcomes()] == [4, 1] * 3


async def test_a_question_that_cannot_be_asked_fails_alone(bench: Any) -> None:
    place = bench(player())
    (place.media / "broken.mp4").write_bytes((place.media / "duet.mp4").read_bytes()[:900])
    lines = [line(1, video="broken.mp4"), line(2, choices=["same", "Same"], answers=["same"]), line(3)]
    end = await place.run(lines)
    assert end["arms"]["zero_shot"] == counted(1, 2, unparsed=1, right=0)
    said = [outcome.error for outcome in place.outcomes() if outcome.arm == "aurelia"]
    assert "broken.mp4" in said[0] and "Two of the choices are the same" in said[1] and said[2] is None


async def test_an_unexpected_fault_is_one_questions(bench: Any) -> None:
    def target(fields: dict[str, Any], messages: Any) -> Any:
        return KeyError("odd") if "(1)" in fields["question"] else "with"

    place = bench(player(target=target))
    end = await place.run([line(1), line(2)])
    assert end["arms"]["aurelia"]["failed"] == 1
    assert "odd" in end["last_error"]


@pytest.mark.parametrize(
    "fault", [SettingsError("The key is refused."), ModelError("No entry with status 403.", status=403)]
)
async def test_a_refused_key_ends_the_run_and_what_is_stored_is_kept(bench: Any, fault: AureliaError) -> None:
    def generator(fields: dict[str, Any], messages: Any) -> Any:
        return fault

    place = bench(player())
    lines = [line(n) for n in range(9)]
    await place.run(lines, Plan(limit=2))
    place.model.script["generator"] = generator
    before = sum(place.model.said.values())
    with pytest.raises(AureliaError, match=str(fault)):
        await place.run(lines, ONE)
    assert len(place.outcomes()) in (4, 5)
    assert {outcome.state for outcome in place.outcomes()} == {"answered"}
    assert sum(place.model.said.values()) <= before + 2
    del place.model.script["generator"]
    assert (await place.run(lines))["arms"]["aurelia"]["answered"] == 9


async def test_stopped_it_keeps_the_calls_under_way_and_goes_on_from_there(bench: Any) -> None:
    place, stop = bench(player()), asyncio.Event()

    def generator(fields: dict[str, Any], messages: Any) -> Any:
        stop.set()
        return reasoning(fields["question"])

    place.model.script["generator"] = generator
    lines = [line(n) for n in range(5)]
    end = await place.run(lines, Plan(concurrency=2), interrupted=stop)
    assert end["stopped_by"] == "interrupted"
    assert end["left"] + end["done"] == 10 and end["left"] >= 9
    with RunFile.open(place.out) as run:
        assert run.usage()["calls"] == sum(place.model.said.values())
    assert {outcome.state for outcome in place.outcomes()} <= {"answered"}
    end = await place.run(lines)
    assert end["arms"]["aurelia"]["answered"] == 5
    assert end["usage"]["calls"] == sum(place.model.said.values()) == 25


@pytest.mark.parametrize(
    ("context", "plan", "changed", "said"),
    [
        ({"threshold": 9}, Plan(), {}, "threshold: 8 -> 9"),
        (
            {"target": "scripted:two"},
            Plan(),
            {},
            "target: scripted:one -> scripted:two",
        ),
        ({}, Plan(arms=("aurelia",)), {}, r"arms: \['zero_shot', 'aurelia'\] -> \['aurelia'\]"),
        ({}, Plan(tasks=("av-qa",)), {}, r"tasks: \[\] -> \['av-qa'\]"),
        ({}, Plan(), {"question": "What else?"}, "records_sha256: [0-9a-f]{12} -> [0-9a-f]{12}"),
    ],
)
async def test_other_settings_are_refused_by_name(
    bench: Any, context: dict[str, Any], plan: Plan, changed: dict[str, Any], said: str
) -> None:
    place = bench(player())
    await place.run([line(1)])
    with pytest.raises(InputError, match=f"x.run was made with other settings .{said}.: use those"):
        await place.run([line(1, **changed)], plan, **context)


async def test_another_prompt_is_refused_by_name(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    place = bench(player())
    await place.run([line(1)])
    monkeypatch.setattr("prompts.prompt_hashes", lambda: {"system": "new"})
    with pytest.raises(InputError, match=r"prompts\.system: [0-9a-f]{12} -> new"):
        await place.run([line(1)])


async def test_the_limit_may_grow_and_rollouts_stand_side_by_side(bench: Any) -> None:
    place, lines = bench(player()), [line(n) for n in range(3)]
    for limit, rollout, calls in ((1, 0, 5), (2, 0, 10), (None, 0, 15), (1, 1, 20)):
        await place.run(lines, Plan(limit=limit), rollout=rollout, profile=f"p{calls}")
        assert sum(place.model.said.values()) == calls
    found = [(outcome.record, outcome.rollout) for outcome in place.outcomes() if outcome.arm == "aurelia"]
    assert found == [("q0", 0), ("q0", 1), ("q1", 0), ("q2", 0)]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[None]:
    """Another process holds the run."""
    script = (
        "import sys; from pathlib import Path; from aurelia.bench.run_file import lock_run_file\n"
        "with lock_run_file(Path(sys.argv[1])): print('mine', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "x.run")]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout and other.stdout.readline() == "mine\n"
    yield
    other.kill()
    other.communicate()


async def test_two_processes_do_not_work_on_one_run(bench: Any, elsewhere: None) -> None:
    place = bench(player())
    with pytest.raises(InputError, match="Another process works on x.run right now"):
        await place.run([line(1)])
    assert not place.model.said


@pytest.mark.parametrize(
    ("small", "large", "said"),
    [
        (Budget(cost_usd=0.06), Budget(cost_usd=9), "the budget of $0.06 is used up"),
        (Budget(tokens=80), Budget(tokens=9999), "the budget of 80 tokens is used up"),
        (Budget(seconds=1e-9), Budget(seconds=1e9), "the budget of 1e-09 seconds is used up"),
    ],
)
async def test_a_budget_ends_the_run_and_a_larger_one_goes_on(
    bench: Any, small: Budget, large: Budget, said: str
) -> None:
    place, lines = bench(player()), [line(n) for n in range(4)]
    end = await place.run(lines, Plan(concurrency=1, budget=small))
    assert end["left"] > 0
    assert end["stopped_by"] == said
    assert end["usage"]["calls"] <= 9
    end = await place.run(lines, Plan(budget=large))
    assert (end["left"], end["stopped_by"], end["usage"]["calls"]) == (0, None, 20)


async def test_an_unknown_price_ends_a_run_with_a_budget_in_dollars_after_the_first_question(bench: Any) -> None:
    place, lines = bench(player(price=None)), [line(n) for n in range(9)]
    plan = Plan(concurrency=8, budget=Budget(cost_usd=5.0))
    for _ in range(2):
        end = await place.run(lines, plan)
        assert "price of a call is not known" in end["stopped_by"]
        assert sum(place.model.said.values()) == 1
    assert (await place.run(lines))["usage"]["cost_usd"] is None


async def test_missing_media_are_named_before_anything_is_paid(bench: Any) -> None:
    place = bench(player())
    lines = [line(0), *(line(n, video=f"{n}.mp4") for n in range(1, 8)), line(8, audio=["none.wav"])]
    lines += [line(9, video="../secret.mp4")]
    with pytest.raises(
        InputError, match=r"9 of the media of bench.jsonl cannot be used \(1.mp4 does not exist"
    ) as fault:
        await place.run(lines)
    assert "5.mp4" in str(fault.value) and "6.mp4" not in str(fault.value)
    assert "leave 9 of 10 questions out with --require-media" in str(fault.value)
    assert not place.out.exists()
    end = await place.run(lines, Plan(require_media=True))
    assert (end["questions"], end["left_out"]) == (1, 9)
    assert [outcome.record for outcome in place.outcomes()] == ["q0", "q0"]
    with pytest.raises(InputError, match="No question of bench.jsonl has its media here"):
        await place.run(lines[1:], Plan(require_media=True))


async def test_models_that_are_not_there_are_named_before_anything_is_paid(bench: Any) -> None:
    place = bench(player())
    with pytest.raises(InputError, match="no model 'nowhere:none'"):
        await place.run([line(1)], summarizer="nowhere:none")
    assert not place.model.said


async def test_a_run_file_holds_what_reproduces_it(bench: Any) -> None:
    place = bench(player())
    await place.run([line(1, history=[{"question": "Who?", "answer": "she"}])], max_iterations=2)
    with RunFile.open(place.out) as run:
        meta = json.loads(json.dumps(run.meta))
        assert run.record("q1").history[0].answer == "she"
    assert meta["settings"]["max_iterations"] == 2 and meta["settings"]["arms"] == ["zero_shot", "aurelia"]
    assert meta["models"]["evaluator"] == "scripted:one"
    assert {"python", "aurelia", "langgraph"} <= meta["versions"].keys()
    assert meta["prompts"].keys() >= {"generator", "target"} and len(meta["records_sha256"]) == 64
    asked = next(fields["question"] for role, fields, _ in place.model.heard if role == "generator")
    assert "A: she" in asked and asked.endswith("What is heard (1)?")


async def test_runs_about_copies_in_one_home_all_answer(tmp_path: Path, duet: Path) -> None:
    """A run over folder a, one over a copy in b, and another one over a: every question is answered."""
    for number, name in enumerate(("a", "b", "a")):
        media = tmp_path / name
        media.mkdir(exist_ok=True)
        shutil.copy(duet, media)
        settings = Settings(home=tmp_path / "home", media_roots=(media,))
        folder = tmp_path / f"run-{number}"
        folder.mkdir()
        end = await Bench(folder, player(), settings, ClipStore(settings), media).run([line(1), line(2)], ONE)
        assert end["arms"]["aurelia"]["answered"] == end["arms"]["zero_shot"]["answered"] == 2


async def test_a_clip_that_changes_in_the_middle_of_a_run_is_named(bench: Any, tmp_path: Path) -> None:
    media = tmp_path / "media" / "duet.mp4"
    first = tmp_path / "first.mp4"

    def target(fields: dict[str, Any], messages: Any) -> Any:
        if "(2)" in fields["question"] and not first.exists():
            shutil.copy(media, first)
            film(media, seconds=1)
        return "with"

    place = bench(player(target=target))
    lines = [line(number) for number in (1, 2, 3)]
    end = await place.run(lines, Plan(concurrency=1, arms=("zero_shot",)))
    assert (end["arms"]["zero_shot"]["answered"], end["arms"]["zero_shot"]["failed"]) == (2, 1)
    expected = "duet.mp4 changed in the middle of the run: earlier questions were about another content"
    assert end["last_error"].startswith(expected)

    # So it is after a restart, and the file that was there first is asked about.
    place = place._replace(store=ClipStore(place.settings))
    again = await place.run(lines, Plan(concurrency=1, arms=("zero_shot",)))
    assert again["last_error"].startswith(expected)
    shutil.copy(first, media)
    last = await place.run(lines, Plan(concurrency=1, arms=("zero_shot",)))
    assert (last["arms"]["zero_shot"]["answered"], last["left"]) == (3, 0)
