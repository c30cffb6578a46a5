"""Critics of claims, the filter of what is injected and the gate, through the real graph with scripted models."""

from typing import Any

import pytest

from aurelia_core.claims import Verdict, merge_findings, score_verdicts
from aurelia_core.errors import InputError
from aurelia_core.models.replies import WindowReply
from nodes.claims import open_windows
from nodes.requests import clamp_windows
from state.context import make_context
from tests.support.scripted import scripted

HEARD = {"text": "A bell rings twice", "kind": "sound_count", "modality": "audio", "window": {"start": 0.2, "end": 0.6}}
SEEN = {"text": "A red circle is on the left", "kind": "place", "modality": "visual", "window": None}
BOTH = {"text": "The bell rings before the circle moves", "kind": "order", "modality": "both", "window": "1.0-9.0 s"}


def critic(*verdicts: str, claims: tuple[Any, ...] = (HEARD, SEEN, BOTH)) -> Any:
    """An evaluator that reads these claims out of every caption and finds these verdicts, in the claims' order."""
    by_text = dict(zip((claim["text"] for claim in claims), verdicts, strict=True))

    def reply(fields: dict[str, Any], _: Any) -> dict[str, Any]:
        if fields["task"] == "claims":
            return {"claims": list(claims)}
        checks = [
            {"number": number, "verdict": by_text[claim["text"]], "reason": f"looked at {claim['kind']}"}
            for number, claim in enumerate(fields["claims"], 1)
        ]
        return {"checks": checks}

    return reply


def asked_of(model: Any, task: str) -> list[dict[str, Any]]:
    return [fields for role, fields, _ in model.heard if role == "evaluator" and fields.get("task") == task]


async def test_claims_are_read_without_the_clip_and_checked_by_sense_at_their_windows(stage: Any) -> None:
    model = scripted(evaluator=critic("supported", "supported", "supported"))
    result = await stage(model).ask(critic="claims")
    assert (result["score"], result["stop_reason"]) == (10, "threshold")
    (read,) = asked_of(model, "claims")
    assert "clip" not in read
    assert read["caption"] == "Caption of r1 answer."
    checks = {fields["claims"][0]["kind"]: fields for fields in asked_of(model, "check")}
    assert checks["sound_count"]["only"] == "sound"
    assert checks["sound_count"]["windows"] == [{"start": 0.0, "end": 0.9}]
    assert "only" not in checks["place"]
    assert checks["place"]["windows"] == []
    # The window is cut to the clip of two seconds.
    assert checks["order"]["windows"] == [{"start": 0.75, "end": 2.0}]
    (attempt,) = result["iterations"]
    assert [finding["verdict"] for finding in attempt["claims"]] == ["supported"] * 3
    assert {finding["witness"] for finding in attempt["claims"]} == {"scripted:one"}
    assert attempt["claims"][2]["claim"]["window"] == {"start": 1.0, "end": 2.0}
    assert attempt["usage"]["calls"] == 6


async def test_contradicted_and_untold_claims_guide_the_next_attempt(stage: Any) -> None:
    model = scripted(evaluator=critic("contradicted", "supported", "cannot_tell"))
    result = await stage(model).ask(critic="claims", max_iterations=2)
    assert [attempt["score"] for attempt in result["iterations"]] == [3, 3]
    (feedback,) = [fields for role, fields, _ in model.heard if role == "feedback"]
    assert [finding["verdict"] for finding in feedback["claims"]] == ["contradicted", "supported", "cannot_tell"]
    assert 'Contradicted: "A bell rings twice" (0.20-0.60 s).' in feedback["critique"]
    assert 'Not told: "The bell rings before the circle moves"' in feedback["critique"]
    second = [fields for role, fields, _ in model.heard if role == "generator"][1]
    assert second["looks"][-1] == [{"start": 0.0, "end": 0.9}, {"start": 0.75, "end": 2.0}]


def test_every_contradicted_claim_is_looked_at_again_before_those_not_told() -> None:
    def finding(verdict: Verdict, start: float, end: float) -> Any:
        claim: Any = {**HEARD, "window": {"start": start, "end": end}}
        return {"claim": claim, "verdict": verdict, "window": None, "witness": "a", "margin": None, "reason": ""}

    spans = [(float(at), at + 1.0) for at in (1, 2, 10, 14, 20, 30)]
    wrong = [finding("contradicted", *span) for span in spans]
    untold = finding("cannot_tell", 40.0, 41.0)
    windows = open_windows([untold, *wrong], 60.0)
    assert windows == [
        {"start": 0.75, "end": 3.25},
        {"start": 9.75, "end": 15.25},
        {"start": 19.75, "end": 21.25},
        {"start": 29.75, "end": 31.25},
    ]
    assert open_windows([untold, wrong[0]], 60.0) == [{"start": 0.75, "end": 2.25}, {"start": 39.75, "end": 41.25}]


def test_a_window_of_a_tenth_of_a_second_is_one() -> None:
    assert clamp_windows([WindowReply(start=3.7, end=3.8)], 4.0) == [{"start": 3.7, "end": 3.8}]


async def test_without_closer_look_the_generator_looks_where_feedback_says(stage: Any) -> None:
    model = scripted(evaluator=critic("contradicted", "supported", "supported"))
    await stage(model).ask(critic="claims", max_iterations=2, closer_look=False)
    second = [fields for role, fields, _ in model.heard if role == "generator"][1]
    assert second["looks"][-1] == []


async def test_a_caption_of_which_nothing_can_be_checked_has_no_score(stage: Any) -> None:
    model = scripted(evaluator=critic("cannot_tell", "cannot_tell", "cannot_tell"))
    result = await stage(model).ask(critic="claims", max_iterations=1)
    assert (result["score"], result["stop_reason"], result["best"]) == (None, "no_valid_score", None)
    assert result["iterations"][0]["error"] == "nothing in its caption could be checked: looked at sound_count."


async def test_where_nothing_could_be_checked_the_next_caption_may_state_what_can(stage: Any) -> None:
    def later(fields: dict[str, Any], _: Any) -> dict[str, Any]:
        if fields["task"] == "claims":
            return {"claims": [SEEN if "r2" in fields["caption"] else HEARD]}
        seen = fields["claims"][0]["text"] == SEEN["text"]
        return {"checks": [{"number": 1, "verdict": "supported" if seen else "cannot_tell"}]}

    result = await stage(scripted(evaluator=later)).ask(critic="claims", max_iterations=3)
    assert [attempt["score"] for attempt in result["iterations"]] == [None, 10]
    assert result["stop_reason"] == "threshold"


async def test_a_claim_that_the_witness_leaves_out_could_not_be_told(stage: Any) -> None:
    def forgetful(fields: dict[str, Any], _: Any) -> dict[str, Any]:
        if fields["task"] == "claims":
            return {"claims": [SEEN, {**SEEN, "text": "A blue square is on the right"}]}
        return {"checks": [{"number": 2, "verdict": "supported"}, {"number": 7, "verdict": "contradicted"}]}

    result = await stage(scripted(evaluator=forgetful)).ask(critic="claims")
    assert [one["verdict"] for one in result["iterations"][0]["claims"]] == ["cannot_tell", "supported"]
    assert result["score"] == 8


def checked(claims: list[Any], checks: list[Any]) -> Any:
    """An evaluator with these claims in each caption and these checks in each batch."""
    return lambda fields, _: {"claims": claims} if fields["task"] == "claims" else {"checks": checks}


@pytest.mark.parametrize(
    ("checks", "verdicts"),
    [
        ([{"number": 0, "verdict": "supported"}, {"number": 1, "verdict": "contradicted"}], "+-"),
        ([{"number": 1, "verdict": "TRUE"}, {"number": 2, "verdict": "Supported."}], "++"),
        ([{"number": 1, "verdict": "refuted"}, {"number": 2, "verdict": "maybe"}], "-?"),
        ([{"number": 1, "verdict": "supported", "margin": 7}, {"number": 2, "verdict": "not supported"}], "+?"),
        ([{"number": 1, "verdict": "supported"}, {"number": 1, "verdict": "contradicted"}], "??"),
        ([{"number": 1, "verdict": "supported"}, {"number": 9, "verdict": "contradicted"}], "+?"),
    ],
)
async def test_an_odd_check_costs_its_own_claim_and_no_other(stage: Any, checks: list[Any], verdicts: str) -> None:
    claims = [SEEN, {**SEEN, "text": "A blue square is on the right"}]
    result = await stage(scripted(evaluator=checked(claims, checks))).ask(critic="claims", max_iterations=1)
    signs = {"supported": "+", "contradicted": "-", "cannot_tell": "?"}
    assert "".join(signs[finding["verdict"]] for finding in result["iterations"][0]["claims"]) == verdicts


async def test_a_claim_counts_once_and_one_about_another_time_is_not_told(stage: Any) -> None:
    beyond = {**SEEN, "window": {"start": 50.0, "end": 60.0}}
    moment = {**SEEN, "text": "A flash is seen", "window": {"start": 1.5, "end": 1.5}}
    turned = {**SEEN, "text": "A cut is seen", "window": {"start": 1.8, "end": 0.4}}
    model = scripted(
        evaluator=checked([SEEN, SEEN, beyond, moment, turned], [{"number": n, "verdict": "supported"} for n in (1, 2)])
    )
    result = await stage(model).ask(critic="claims", max_iterations=1)
    found = result["iterations"][0]["claims"]
    assert [finding["verdict"] for finding in found] == ["supported", "supported", "supported", "cannot_tell"]
    assert "(50-60 s) is not in the clip, which has 2.00 s" in found[3]["reason"]
    assert found[1]["claim"]["window"] == {"start": 1.4, "end": 1.6}
    assert found[2]["claim"]["window"] == {"start": 0.4, "end": 1.8}


async def test_a_model_that_does_not_hear_is_not_told_to_judge_by_the_sound(stage: Any, monkeypatch: Any) -> None:
    model = scripted(evaluator=critic("supported", "supported", "supported"))
    at = stage(model)
    adapter = type(at.desk.adapter("scripted:one"))
    monkeypatch.setattr(adapter, "missing_modalities", lambda self, media: ["sound"])
    await at.ask(critic="claims", max_iterations=1, unsupported_modality="evidence")
    assert all("only" not in fields for fields in asked_of(model, "check"))


async def test_a_batch_that_fails_leaves_its_claims_untold_with_a_warning(stage: Any) -> None:
    def deaf(fields: dict[str, Any], _: Any) -> Any:
        if fields["task"] == "claims":
            return {"claims": [HEARD, SEEN]}
        if fields.get("only") == "sound":
            return ValueError("no ears")
        return {"checks": [{"number": 1, "verdict": "supported", "margin": 0.9}]}

    result = await stage(scripted(evaluator=deaf)).ask(critic="claims")
    assert [one["verdict"] for one in result["iterations"][0]["claims"]] == ["cannot_tell", "supported"]
    assert any("not checked" in warning and "failed: 1 (" in warning for warning in result["warnings"])
    assert any("no ears" in warning for warning in result["warnings"])


async def test_two_witnesses_that_contradict_each_other_tell_nothing(stage: Any) -> None:
    answers = iter(("supported", "contradicted"))

    def torn(fields: dict[str, Any], _: Any) -> dict[str, Any]:
        if fields["task"] == "claims":
            return {"claims": [SEEN]}
        return {"checks": [{"number": 1, "verdict": next(answers), "witness": "eye"}]}

    model = scripted(evaluator=torn)
    result = await stage(model).ask(critic="both", tools="scripted:two", max_iterations=1)
    (finding,) = result["iterations"][0]["claims"]
    assert (finding["verdict"], finding["witness"], finding["margin"]) == ("cannot_tell", "eye, eye", None)
    assert result["score"] is None


async def test_windows_of_claims_without_a_time_come_from_the_sound(stage: Any) -> None:
    model = scripted(evaluator=critic("supported", claims=({**HEARD, "window": None},)))
    await stage(model).ask(critic="claims", claim_windows="sound")
    (check,) = asked_of(model, "check")
    starts = [window["start"] for window in check["windows"]]
    assert len(starts) == 2
    assert starts == sorted(starts)


@pytest.mark.parametrize(
    ("verdicts", "score"),
    [
        (["supported"], 10),
        (["supported", "cannot_tell"], 8),
        (["supported", "cannot_tell", "cannot_tell"], 7),
        (["supported"] * 9 + ["contradicted"], 5),
        (["contradicted", "cannot_tell"], 1),
        (["cannot_tell"], None),
        ([], None),
    ],
)
def test_score_of_verdicts(verdicts: list[Verdict], score: int | None) -> None:
    assert score_verdicts(verdicts) == score


def test_findings_that_agree_name_both_witnesses() -> None:
    claim: Any = {**SEEN}
    one: Any = {"claim": claim, "verdict": "supported", "window": None, "witness": "a", "margin": 1.0, "reason": "x"}
    (found,) = merge_findings([one], [{**one, "witness": "b"}])
    assert (found["verdict"], found["witness"], found["margin"]) == ("supported", "a, b", 1.0)


def two_steps(fields: dict[str, Any], _: Any) -> dict[str, Any]:
    step = {"justification": "", "modality": "both"}
    return {
        "steps": [
            {**step, "step": "Count the rings of the bell.", "answer": "The bell rings twice."},
            {**step, "step": "Find the circle.", "answer": "A red circle is on the left."},
        ],
        "answer": "two",
    }


async def test_the_finding_of_a_step_that_rests_on_a_contradicted_claim_is_not_injected(stage: Any) -> None:
    model = scripted(generator=two_steps, evaluator=critic("contradicted", "supported", claims=(HEARD, SEEN)))
    settings = {"critic": "claims", "inject": "full", "max_iterations": 1}
    result = await stage(model).ask(**settings, inject_filter="supported")
    found = [(step["step"], step["answer"]) for step in result["best"]["steps"]]
    assert found == [("Count the rings of the bell.", ""), ("Find the circle.", "A red circle is on the left.")]
    assert result["best"]["answer"] == ""
    (given,) = [fields["reasoning"] for role, fields, _ in model.heard if role == "target" and fields["reasoning"]]
    assert given == result["best"]
    unfiltered = await stage(model).ask(**settings)
    assert unfiltered["best"]["steps"][0]["answer"] == "The bell rings twice."


async def test_a_later_finding_is_injected_only_where_a_supported_claim_says_it(stage: Any) -> None:
    model = scripted(generator=two_steps, evaluator=critic("contradicted", "cannot_tell", claims=(HEARD, SEEN)))
    result = await stage(model).ask(critic="claims", inject="full", max_iterations=1, inject_filter="supported")
    assert [step["answer"] for step in result["best"]["steps"]] == ["", ""]
    assert result["warnings"][-1].startswith(
        "2 of the 2 findings and the final answer were not injected: a contradicted"
    )


async def test_a_finding_before_a_contradicted_one_is_injected(stage: Any) -> None:
    model = scripted(generator=two_steps, evaluator=critic("cannot_tell", "contradicted", claims=(HEARD, SEEN)))
    result = await stage(model).ask(critic="claims", inject="full", max_iterations=1, inject_filter="supported")
    assert [step["answer"] for step in result["best"]["steps"]] == ["The bell rings twice.", ""]


async def test_a_step_whose_task_says_a_contradicted_claim_is_left_out(stage: Any) -> None:
    circle = {**SEEN, "text": "Find the circle"}
    model = scripted(generator=two_steps, evaluator=critic("contradicted", "supported", claims=(circle, HEARD)))
    result = await stage(model).ask(critic="claims", max_iterations=1, inject_filter="supported")
    assert [step["step"] for step in result["best"]["steps"]] == ["Count the rings of the bell."]


async def test_a_reasoning_without_a_step_that_holds_is_not_injected(stage: Any) -> None:
    tasks = ({**SEEN, "text": "Find the circle"}, {**HEARD, "text": "Rings of the bell"})
    model = scripted(generator=two_steps, evaluator=critic("contradicted", "contradicted", claims=tasks))
    result = await stage(model).ask(critic="claims", max_iterations=1, inject_filter="supported")
    assert (result["best"], result["answer"]) == (None, "without")
    assert "Every step rests on a contradicted claim, so the target answered without reasoning." in result["warnings"]


def test_a_filter_without_claims_is_refused() -> None:
    with pytest.raises(InputError, match="needs a critic of claims"):
        make_context({"inject_filter": "supported"})


def answers(reasoned: str, zero_shot: str) -> Any:
    return lambda fields, _: reasoned if fields["reasoning"] else zero_shot


async def test_agree_takes_the_zero_shot_answer_where_nothing_supports_the_other(stage: Any) -> None:
    model = scripted(target=answers("left", "right"))
    result = await stage(model).ask(choices=["left", "right"], gate="agree")
    assert (result["answer"], result["choice"], result["zero_shot_answer"]) == ("right", "right", "right")
    assert result["gate"]["chosen"] == "zero_shot"
    assert result["gate"]["reasoned_reply"] == "left"
    assert model.said["target"] == 2


async def test_agree_takes_the_answer_with_reasoning_where_the_reasoning_says_the_same(stage: Any) -> None:
    model = scripted(target=answers("r1 answer", "right"))
    result = await stage(model).ask(gate="agree")
    assert (result["answer"], result["gate"]["chosen"]) == ("r1 answer", "reasoning")


@pytest.mark.parametrize("answer", [1, 2])
@pytest.mark.parametrize("rollout", [0, 1, 2])
async def test_the_arbiter_chooses_without_knowing_which_answer_is_which(stage: Any, answer: int, rollout: int) -> None:
    model = scripted(target=answers("left", "right"), arbiter=[{"reason": "seen", "answer": answer}])
    result = await stage(model).ask(rollout=rollout, choices=["left", "right"], gate="arbiter")
    ((_, fields, messages),) = [heard for heard in model.heard if heard[0] == "arbiter"]
    assert sorted(fields["answers"]) == ["left", "right"]
    assert result["answer"] == fields["answers"][answer - 1]
    assert not any(word in messages[-1].text.casefold() for word in ("zero-shot", "reasoning"))
    assert result["usage"]["calls"] == 6


async def test_an_arbiter_is_not_asked_about_one_answer(stage: Any) -> None:
    model = scripted(target=answers("left", "The left."))
    result = await stage(model).ask(choices=["left", "right"], gate="arbiter")
    assert (result["answer"], result["gate"]["reason"]) == ("left", "both answers are the same")
    assert model.said["arbiter"] == 0


async def test_an_arbiter_that_fails_leaves_the_answer_with_reasoning(stage: Any) -> None:
    model = scripted(target=answers("left", "right"), arbiter=[ValueError("out")])
    result = await stage(model).ask(choices=["left", "right"], gate="arbiter")
    assert result["answer"] == "left"
    assert any(warning.startswith("The arbiter did not choose") for warning in result["warnings"])
