"""Stored replies are still found: the call ledger's keys are those of the first release (data/ledger_keys.json).

A changed key means that every stored reply of that role is asked and paid for again. Keys depend on prompts, on the
fields of the request, and on the JSON schema of the reply, docstrings of the reply models included.
"""

import json
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel

from aurelia.bench.scoring import Judge
from aurelia_core.errors import ModelError
from aurelia_core.models.base import ClipModel
from aurelia_core.models.call_ledger import CallLedger, ModelCall, call_key
from aurelia_core.models.client import ModelClient
from aurelia_core.models.requests import parse_request
from aurelia_core.settings import Settings
from nodes.describer import describe
from nodes.evaluator import evaluate
from nodes.feedback import give_feedback
from nodes.generator import generate
from nodes.summarizer import summarize
from nodes.target import answer_with_reasoning, answer_zero_shot
from prompts import specimen
from prompts.render import PromptTexts
from state.context import Context
from state.schema import new_attempt

KEYS = json.loads((Path(__file__).parents[1] / "data" / "ledger_keys.json").read_text())
ROLES = ("generator", "summarizer", "evaluator", "feedback", "target")
CLIP: Any = {
    "id": "c" * 64, "name": "a.mp4", "bytes": 1000, "duration": 8.0, "width": 320, "height": 240, "fps": 25.0,
    "has_audio": True, "audio_channels": 1, "audio_seconds": 8.0,
}  # fmt: skip
TRACK = {**CLIP, "id": "d" * 64, "name": "b.wav", "width": None, "height": None, "fps": None}
OTHER = {**TRACK, "id": "e" * 64}
STEP = {"step": "Find the loudest sound.", "justification": "a peak at 2 s", "answer": "at 2 s", "modality": "audio"}
REASONING: Any = {"steps": [STEP], "answer": "left"}


class Deaf(ClipModel, FakeListChatModel):
    """A model that cannot hear; its settings are fixed."""

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": "golden"}

    def missing_modalities(self, media: Any) -> list[Any]:
        return ["sound"]


class Recorder(CallLedger):
    """Records the key of each call, and answers none."""

    calls: list[ModelCall]

    async def call(self, call: ModelCall, config: Any = None) -> Any:
        self.calls.append(call)
        raise ModelError("not asked")


@pytest.fixture
def ledger(tmp_path: Path) -> Recorder:
    made = Recorder(tmp_path / "ledger.sqlite")
    made.calls = []
    return made


@pytest.fixture
def client(tmp_path: Path, ledger: Recorder) -> ModelClient:
    providers = {"fake": lambda name, store: Deaf(responses=["x"])}
    return ModelClient(Settings(home=tmp_path, allow_any_file=True), providers=providers, ledger=ledger)


def runtime(**settings: Any) -> Any:
    context = Context(**dict.fromkeys(ROLES, "fake:one"), **settings)
    return SimpleNamespace(context=context, stream_writer=lambda event: None, execution_info=None)


def state(**more: Any) -> Any:
    first = {
        **new_attempt(1),
        "reasoning": REASONING,
        "caption": "A loud sound at 2 s.",
        "score": 4,
        "critique": "a third sound is missing",
        "doubts": [{"start": 5.0, "end": 6.0}],
        "feedback": "Listen at 5 s.",
        "windows": [{"start": 5.0, "end": 6.0}],
    }
    known = {"run": "r", "question": "Which side?", "choices": ["left", "right"], "clip": CLIP, "tracks": []}
    found = {"described": {}, "iterations": [first], "asked": [], "models": {}, "usage": None, "seconds": 0.0}
    return {**known, **found, **more}


def calls(client: ModelClient) -> dict[str, Awaitable[Any]]:
    describer = {"unsupported_modality": "describe:fake:one"}
    judge = Judge(client, "fake:one")
    described = {"sound": "1.0-2.0 s: a beep"}
    return {
        "generator_first": generate(state(iterations=[]), runtime(), client),
        "generator_second": generate(state(), runtime(frames=32, samples=16000), client),
        "generator_asked": generate(state(asked=[2]), runtime(rollout=3), client),
        "generator_explicit": generate(state(), runtime(prompt_cache="explicit"), client),
        "generator_tracks": generate(state(tracks=[TRACK, OTHER], iterations=[]), runtime(), client),
        "summarizer": summarize(state(), runtime(), client),
        "evaluator": evaluate(state(), runtime(unsupported_modality="evidence"), client),
        "evaluator_described": evaluate(state(described=described), runtime(**describer), client),
        "feedback": give_feedback(state(), runtime(), client),
        "target_steps": answer_with_reasoning(state(edited=REASONING), runtime(), client),
        "target_full": answer_with_reasoning(state(edited=REASONING, choices=[]), runtime(inject="full"), client),
        "zero_shot": answer_zero_shot(state(), runtime(), client),
        "describer_sound": describe(state(), runtime(**describer), client),
        "judge_open": judge.open("Which side?", ["left"], "on the left"),
        "judge_choice": judge.choice("Which side?", ["left", "right"], "the left one"),
    }


async def test_the_keys_of_stored_replies_do_not_change(client: ModelClient, ledger: Recorder) -> None:
    found = {}
    for name, call in calls(client).items():
        with suppress(ModelError):
            await call
        found[name] = call_key(ledger.calls[-1])
    assert found == KEYS


async def test_a_request_survives_the_way_through_plain_fields(client: ModelClient, ledger: Recorder) -> None:
    for call in calls(client).values():
        with suppress(ModelError):
            await call
    assert len(ledger.calls) == len(KEYS)
    for made in ledger.calls:
        fields = made.messages[-1].additional_kwargs["request"]
        assert json.loads(json.dumps(parse_request(fields).fields())) == json.loads(json.dumps(fields))


def test_the_specimen_writes_every_text(monkeypatch: pytest.MonkeyPatch) -> None:
    before = specimen.sample_texts()
    for name in (*PromptTexts.__abstractmethods__, *vars(PromptTexts)):
        if name.startswith("_"):
            continue
        with monkeypatch.context() as patch:
            changed: Any = property(lambda self: "other") if name == "system" else lambda self, *a, **k: "other"
            patch.setattr(PromptTexts, name, changed)
            assert specimen.sample_texts() != before, name
    for name, made in vars(specimen).items():
        if getattr(made, "__module__", "") == "prompts.render" and callable(made) and not isinstance(made, PromptTexts):
            with monkeypatch.context() as patch:
                patch.setattr(specimen, name, lambda *a, **k: "other")
                assert specimen.sample_texts() != before, name
