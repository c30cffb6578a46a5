"""The critic of tools through the real graph: witnesses check the claims that a scripted reader finds in a caption."""

import json
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from aurelia_core.errors import InputError, ModelError
from aurelia_core.models.registry import known_providers, make_model
from tests.support.scripted import scripted

CUT = {"text": "There is no cut", "kind": "cut", "modality": "visual", "window": None}
MANY = {"text": "There are five cuts", "kind": "cut", "modality": "visual", "window": None, "count": 5}
ACTION = {"text": "A man waves", "kind": "action", "modality": "visual", "window": None}
THING = {"text": "A dog is seen", "kind": "object", "modality": "visual", "window": None, "subject": "dog"}


def reader(*claims: dict[str, Any]) -> Any:
    return lambda fields, messages: {"claims": list(claims)}


async def test_tools_check_the_claims_that_they_know(stage: Any) -> None:
    model = scripted(evaluator=reader(CUT, MANY, ACTION, THING))
    result = await stage(model).ask(critic="tools", max_iterations=1)
    (attempt,) = result["iterations"]
    found = {finding["claim"]["text"]: finding for finding in attempt["claims"]}
    assert (found["There is no cut"]["verdict"], found["There is no cut"]["witness"]) == ("supported", "measured")
    assert found["There are five cuts"]["verdict"] == "contradicted"
    assert found["There are five cuts"]["reason"] == "0 cuts were found"
    assert found["A man waves"]["verdict"] == "cannot_tell"
    assert found["A man waves"]["reason"] == "no witness knows claims of the kind 'action'"
    assert found["A dog is seen"]["verdict"] == "cannot_tell"
    assert "hf download google/owlv2-base-patch16-ensemble" in found["A dog is seen"]["reason"]
    assert result["score"] == 3


def test_only_claims_are_checked() -> None:
    chat = make_model("tools:witnesses", None, known_providers())  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="checks claims about a clip and nothing else"):
        chat.invoke([HumanMessage("Hello?")])
    with pytest.raises(InputError, match="There is no tools:other"):
        make_model("tools:other", None, known_providers())  # type: ignore[arg-type]


def test_a_stored_finding_is_valid_for_the_same_witnesses_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from aurelia_core.models import tools

    chat = make_model("tools:witnesses", None, known_providers())  # type: ignore[arg-type]
    before = json.dumps(chat._identifying_params)
    monkeypatch.setattr(tools, "witness_states", lambda: [])
    assert json.dumps(chat._identifying_params) != before
