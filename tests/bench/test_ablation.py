"""One run with the largest T and no early stop holds every smaller setting: the same answers, for few more calls."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from aurelia.bench.ablation import GridQuestion, GridSetting, ablate, derive_loop_end, setting_grid
from aurelia.bench.records import Record, RecordSource, write_records
from aurelia.bench.run_file import RunFile
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia.run.ask import answer_question
from aurelia_core.errors import InputError, ModelError
from aurelia_core.models.client import ModelClient
from aurelia_core.types import Usage
from graph.build import build_graph
from state.context import Context, make_context
from state.schema import new_attempt
from tests.support.scripted import ScriptedChat, reasoning, scripted, verdict
from tests.support.stage import no_wait

ROLES = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")
SCORES: dict[str, list[int | None]] = {
    "rising": [3, 5, 8, 6, 9],
    "abstaining": [None, 4, 4, 2, 7],
    "falling": [7, 7, 2, 10, 1],
    "hopeless": [None, None, None, None, None],
}
GRID = setting_grid(range(1, 6), range(1, 11), ["steps"])


def played() -> ScriptedChat:
    """Plays every role by what it is sent alone, so that a call's reply never depends on how many came before."""

    def evaluator(fields: dict[str, Any], messages: Any) -> dict[str, Any]:
        found = re.search(r"(\w+)-(\d)", fields["caption"])
        assert found
        return verdict(SCORES[found[1]][int(found[2]) - 1])

    def target(fields: dict[str, Any], messages: Any) -> str:
        return f"after {fields['reasoning']['steps'][0]['step']}" if fields["reasoning"] else "alone"

    return scripted(
        generator=lambda fields, messages: reasoning(f"{fields['question'].strip('?')}-{fields['iteration']}"),
        evaluator=evaluator,
        feedback=lambda fields, messages: {"feedback": f"Again after {fields['iteration']}.", "windows": []},
        target=target,
    )


class Truth(NamedTuple):
    metric: str
    value: float | None


async def by_length(record: Record, answer: str) -> list[Truth]:
    """A made-up score that the tests can foresee."""
    return [Truth("correct", float(answer.endswith(("3.", "5."))))]


class Made(NamedTuple):
    resources: RunResources
    run: Path
    model: ScriptedChat
    calls: int


@pytest.fixture
async def made(tmp_path: Path, settings: Any, session_store: Any, duet: Path) -> Made:
    """A run of four questions with T = 5 and no early stop."""
    model = played()
    resources = RunResources(
        settings, providers={"scripted": lambda name, store: model}, store=session_store, sleep=no_wait
    )
    await run_bench(
        records_in(tmp_path, duet),
        tmp_path / "full.run",
        context(early_stop=False, max_iterations=5),
        Plan(),
        resources,
    )
    return Made(resources, tmp_path / "full.run", model, sum(model.said.values()))


def records_in(folder: Path, clip: Path) -> Path:
    records = [
        Record(
            id=name,
            column="avsd",
            video=str(clip),
            question=f"{name}?",
            answers=["x"],
            source=RecordSource(dataset="made"),
        )
        for name in SCORES
    ]
    write_records(records, folder / "records.jsonl")
    return folder / "records.jsonl"


def context(**changes: Any) -> Context:
    return make_context({**ROLES, **changes})


def asked(model: ScriptedChat) -> set[str]:
    """All that the agents of the loop were sent: role, fields and messages."""
    heard = [(role, fields, messages) for role, fields, messages in model.heard if role not in ("target", "zero_shot")]
    return {repr((role, fields, [(said.type, said.content) for said in messages])) for role, fields, messages in heard}


def billed(usage: Usage) -> list[int]:
    return [usage["calls"], usage["input_tokens"], usage["output_tokens"]]


async def test_every_setting_of_the_grid_equals_a_real_run_there(made: Made, duet: Path, tmp_path: Path) -> None:
    found = {question.record.id: question for question in await ablate(made.run, GRID, made.resources, by_length)}
    assert len(GRID) == 50 and found.keys() == SCORES.keys()
    client = ModelClient(made.resources.settings, providers=made.resources.providers, store=made.resources.clip_store())
    graph = build_graph(client=client)
    for setting in GRID:
        real = context(threshold=setting.threshold, max_iterations=setting.max_iterations, compare=False)
        for name, question in found.items():
            result = await answer_question(
                {"video": str(duet), "question": f"{name}?"}, real, client=client, graph=graph
            )
            at = question.at_setting(setting)
            assert at, name
            end, told = at
            assert told.answer == result["answer"]
            assert (end.score, end.best_iteration, end.stop_reason) == tuple(
                result[key] for key in ("score", "best_iteration", "stop_reason")
            ), (name, setting)
            assert shown(end.iterations) == shown(result["iterations"])
    client.close()


def shown(attempts: Any) -> list[dict[str, Any]]:
    """Attempts without what a second run need not repeat: times, and bills (which the ledger spares it)."""
    spared = ("seconds", "usage", "feedback_seconds", "feedback_usage")
    return [{name: value for name, value in attempt.items() if name not in spared} for attempt in attempts]


async def test_the_grid_costs_at_most_a_third_more_calls_and_a_second_time_nothing(made: Made) -> None:
    await ablate(made.run, GRID, made.resources, by_length)
    once = sum(made.model.said.values())
    assert made.calls < once <= 1.3 * made.calls
    await ablate(made.run, GRID, made.resources, by_length)
    assert sum(made.model.said.values()) == once


async def test_bill_and_seconds_are_those_of_the_attempts_made(made: Made) -> None:
    settings = [GridSetting(1, 8, "steps"), GridSetting(2, 8, "steps"), GridSetting(5, 10, "steps")]
    questions = {
        question.record.id: question for question in await ablate(made.run, settings, made.resources, by_length)
    }
    ends = [questions["rising"].loop_ends[setting] for setting in settings]
    assert [billed(end.usage) for end in ends] == [[3, 30, 15], [7, 70, 35], [19, 190, 95]]
    assert 0 < ends[0].seconds < ends[1].seconds < ends[2].seconds
    with RunFile.open(made.run) as run:
        outcome = next(outcome for outcome in run.outcomes("aurelia") if outcome.record == "rising")
    assert outcome.result and outcome.result["stop_reason"] == "max_iterations"
    assert ends[2].seconds == pytest.approx(sum(attempt["seconds"] for attempt in outcome.result["iterations"]))


async def test_what_is_injected_is_part_of_the_grid(made: Made) -> None:
    settings = setting_grid([1], [8], ["steps", "full"])
    await ablate(made.run, settings, made.resources, by_length)
    injected = [
        fields["reasoning"]["answer"]
        for role, fields, _ in made.model.heard
        if role == "target" and fields["reasoning"]
    ]
    assert "" in injected and "rising-1 answer" in injected


async def test_a_target_that_fails_fails_only_where_it_was_asked_again(made: Made) -> None:
    made.model.script["target"] = [ModelError("scripted:one is out of order.")]
    first: GridQuestion = (await ablate(made.run, setting_grid([1, 5], [10], ["steps"]), made.resources, by_length))[0]
    again, own = (first.at_setting(GridSetting(cap, 10, "steps")) for cap in (1, 5))
    assert again and again[1].answer is None and "out of order" in (again[1].error or "")
    assert own and own[1].answer == "after Find rising-5."


async def test_a_run_that_stopped_before_a_setting_is_refused(made: Made, tmp_path: Path, duet: Path) -> None:
    out = tmp_path / "short.run"
    await run_bench(records_in(tmp_path, duet), out, context(threshold=5, max_iterations=3), Plan(), made.resources)
    at_most = setting_grid([1, 2, 3], [1, 5], ["steps"])
    assert len(await ablate(out, at_most, made.resources, by_length)) == 4
    with pytest.raises(InputError, match="stopped after .* before T = 3, tau = 9"):
        await ablate(out, setting_grid([3], [9], ["steps"]), made.resources, by_length)


@pytest.mark.parametrize(
    ("changes", "arms", "said"),
    [({"max_tokens": 10_000}, ("aurelia",), "budget"), ({}, ("zero_shot",), "no answer with AURELIA")],
)
async def test_a_run_that_holds_no_smaller_settings_says_so(
    made: Made, tmp_path: Path, duet: Path, changes: dict[str, Any], arms: Any, said: str
) -> None:
    out = tmp_path / "other.run"
    await run_bench(records_in(tmp_path, duet), out, context(**changes), Plan(arms=arms), made.resources)
    with pytest.raises(InputError, match=said):
        await ablate(out, GRID, made.resources, by_length)


async def test_no_agent_is_told_the_threshold_or_the_number_of_attempts(made: Made, tmp_path: Path, duet: Path) -> None:
    """What the derivation rests on: a run that differs in these alone asks nothing that the full one has not asked."""
    everything = asked(made.model)
    made.model.heard.clear()
    smaller = context(threshold=7, max_iterations=3)
    await run_bench(records_in(tmp_path, duet), tmp_path / "other.run", smaller, Plan(), made.resources)
    agents = asked(made.model)
    assert len(agents) > 20
    assert agents <= everything


def test_values_out_of_bounds_are_refused_by_name() -> None:
    refuse: Callable[..., Any] = setting_grid
    with pytest.raises(InputError, match="threshold"):
        refuse([1], [11], ["steps"])


def test_a_last_attempt_has_nothing_of_the_feedback_on_it() -> None:
    spent: Any = {**new_attempt(1)["usage"], "calls": 1, "cost_usd": 0.01}
    attempt: Any = {**new_attempt(1), "score": 9, "seconds": 3.0, "feedback_seconds": 1.0, "feedback_usage": spent}
    attempt |= {"usage": {**spent, "calls": 4, "cost_usd": 0.04}, "feedback": "Again.", "fallbacks": ["feedback"]}
    end = derive_loop_end([attempt], GridSetting(1, 8, "steps"))
    last: Any = end.iterations[0]
    assert (end.seconds, end.usage["calls"], last["feedback"], last["fallbacks"]) == (2.0, 3, None, [])
    assert end.usage["cost_usd"] == pytest.approx(0.03)


def test_an_attempt_of_an_older_run_has_no_feedback_bill() -> None:
    attempt: Any = {**new_attempt(1), "score": 9, "seconds": 2.0}
    del attempt["feedback_seconds"], attempt["feedback_usage"]
    end = derive_loop_end([attempt], GridSetting(1, 8, "steps"))
    assert (end.seconds, end.stop_reason, end.usage["calls"]) == (2.0, "threshold", 0)
