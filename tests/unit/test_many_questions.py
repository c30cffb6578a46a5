"""Many questions and events in synchronous code: errors stay with their question, and a table is made."""

from pathlib import Path
from typing import Any

import pytest

import aurelia
from aurelia.run.ask import answer_question
from aurelia_core.errors import InputError
from state.context import make_context
from tests.support.scripted import scripted, verdict
from tests.support.stage import Stage

ROLES: Any = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")


async def test_many_questions_keep_their_order_and_an_error_stays_with_its_question(stage: Any) -> None:
    at: Stage = stage(scripted(target=["a bell"]))
    asked: list[Any] = [
        {"video": at.clip, "question": "What is heard?", "choices": ("a bell", "a horn")},
        {"video": "missing.mp4", "question": "What is heard?"},
        {"video": at.clip, "question": "What is seen?"},
    ]
    results = await aurelia.ask_many(asked, make_context(ROLES), client=at.desk, concurrency=2)
    assert [one.question for one in results] == asked
    assert [one.result.answer if one.result else None for one in results] == ["a bell", None, "a bell"]
    assert "missing.mp4" in (results[1].error or "") and results[0].error is None
    pytest.importorskip("pandas", reason="needs pip install -e '.[notebook]'")
    table = results.to_pandas()
    assert list(table["choice"].fillna("")) == ["a bell", "", ""]
    assert list(table["attempts"]) == [1, 0, 1]
    assert table["error"].notna().sum() == 1 and table["calls"].sum() > 0
    with pytest.raises(InputError, match="at least 1"):
        await aurelia.ask_many(asked, concurrency=0)


def test_events_are_iterated_in_synchronous_code(stage: Any) -> None:
    at: Stage = stage(scripted(evaluator=[verdict(4), verdict(9)]))
    context = make_context(ROLES)
    items = list(aurelia.stream_sync("What is heard?", context, video=at.clip, client=at.desk))
    assert isinstance(items[-1], aurelia.Result) and items[-1].score == 9
    names = [item["event"] for item in items[:-1] if not isinstance(item, aurelia.Result)]
    assert names == ["clip", "attempt", "feedback", "attempt", "target"]


def test_leaving_the_events_early_ends_the_run(stage: Any) -> None:
    model = scripted(evaluator=[verdict(4)])
    at: Stage = stage(model)
    for _ in aurelia.stream_sync("What is heard?", make_context(ROLES), video=at.clip, client=at.desk):
        break
    assert not any(role == "target" for role, _, _ in model.heard)


def test_a_low_score_is_in_the_warnings(stage: Any) -> None:
    at: Stage = stage(scripted(evaluator=[verdict(3)]))
    context = make_context({**ROLES, "max_iterations": 1})
    result = aurelia.ask_sync("What is heard?", context, video=at.clip, client=at.desk)
    assert "scored 3/10, below the threshold 8" in result.warnings[-1]


async def test_a_file_of_this_machine_is_read_without_further_objects(
    duet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURELIA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AURELIA_MEDIA_ROOTS", raising=False)
    question: Any = {"video": duet, "question": "How many sounds are heard?"}
    found = await answer_question(question, aurelia.Context(compare=False))
    assert found["answer"] == "2"


def test_a_misspelt_setting_is_explained() -> None:
    wrong: Any = {"treshold": 3}
    with pytest.raises(ValueError, match="there is no such setting; did you mean 'threshold'"):
        aurelia.Context(**wrong)
    with pytest.raises(ValueError, match=r"'gpt4' is no model name: write PROVIDER:MODEL"):
        aurelia.Context(target="gpt4")
