"""The measuring chat model: plays generator, summarizer, evaluator, feedback and target by measuring the clip.

It reads the fields of the request that a message carries as data, not the text of the prompt. It has no weights. A
message without a request is refused.
"""

import hashlib
import json
import string
from collections.abc import Mapping
from functools import cache, partial
from importlib import resources
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from aurelia_core.errors import InputError, ModelError
from aurelia_core.signals.observation import Observation
from aurelia_core.types import MediaRef, Window
from aurelia_offline.agents.feedback import advise
from aurelia_offline.agents.generator import generate_reasoning
from aurelia_offline.agents.recent_cache import RecentCache
from aurelia_offline.agents.summarizer import summarize_reasoning
from aurelia_offline.agents.target import answer_as_target

_MAX_REMEMBERED_LOOKS = 64
_MEASURING_PACKAGES = (
    "aurelia_core.signals",
    "aurelia_offline.agents",
    "aurelia_offline.answering",
    "aurelia_offline.critic",
    "aurelia_offline.questions",
    "aurelia_offline.world",
)


@cache
def fingerprint() -> str:
    """SHA-256 (hex) of the measuring code and its word lists; stored replies are valid only for the same code."""
    digest = hashlib.sha256()
    for package in _MEASURING_PACKAGES:
        for part in sorted(resources.files(package).iterdir(), key=lambda path: path.name):
            if part.is_file() and part.name.endswith((".py", ".toml", ".json")):
                digest.update(part.name.encode() + b"\0" + part.read_bytes() + b"\0")
    return digest.hexdigest()


_recent_looks: RecentCache[Observation] = RecentCache(_MAX_REMEMBERED_LOOKS)
"""A cache of the latest looks, by clip, track, windows and budget."""


class MeasuringChat(BaseChatModel):
    """Plays all roles offline by measurement.

    Attributes:
        store: the `aurelia_core.media` ClipStore with the clips of the requests.
    """

    store: Any

    @property
    def _llm_type(self) -> str:
        return "offline"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": "offline", "measuring_code": fingerprint()}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        del stop, run_manager, kwargs
        fields = messages[-1].additional_kwargs.get("request") if messages else None
        if not isinstance(fields, Mapping) or "role" not in fields:
            raise ModelError(
                "the offline model answers only requests of this project's agents (generator, summarizer, evaluator, "
                "feedback, target), which carry their fields as data; for conversation choose a provider's model"
            )
        reply = self._reply(fields)
        text = reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)
        usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        message = AIMessage(
            content=text, usage_metadata=usage, response_metadata={"model_name": "offline", "cost_usd": 0.0}
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _reply(self, fields: Mapping[str, Any]) -> Any:
        match fields["role"]:
            case "generator":
                return self._reason(fields)
            case "summarizer":
                return summarize_reasoning(fields)
            case "evaluator":
                from aurelia_offline.critic.evaluate import evaluate_caption

                return evaluate_caption(dict(fields), self.store)
            case "feedback":
                return advise(fields)
            case "target":
                several = len(fields.get("tracks") or []) > 1
                candidates = (lambda windows: self._candidates(fields, [windows])) if several else None
                return answer_as_target(fields, lambda windows: self._observe(fields, [windows]), candidates)
        raise ModelError(f"the offline model plays no role named '{fields['role']}'")

    def _reason(self, fields: Mapping[str, Any]) -> Any:
        looks: list[list[Window]] = list(fields.get("looks") or [[]])
        before = self._observe(fields, looks[:-1]) if len(looks) > 1 else None
        tracks = self._candidates(fields, looks) if len(fields.get("tracks") or []) > 1 else None
        seen = tracks[0][1] if tracks else self._observe(fields, looks)
        pieces = [self._observe(fields, [each]) for each in looks]
        return generate_reasoning(fields, seen, tracks=tracks, before=before, pieces=pieces)

    def _observe(self, fields: Mapping[str, Any], looks: list[list[Window]]) -> Observation:
        """The merged looks, with the clip's own sound or the one track that replaces it."""
        tracks = fields.get("tracks") or []
        return self._merged(fields, looks, tracks[0] if tracks else None, max(1, len(tracks)))

    def _candidates(self, fields: Mapping[str, Any], looks: list[list[Window]]) -> list[tuple[str, Observation]]:
        """The merged looks with each candidate track, by its letter; the candidates share the sample budget."""
        tracks = fields["tracks"]
        named = zip(string.ascii_uppercase, tracks, strict=False)
        return [(letter, self._merged(fields, looks, track, len(tracks))) for letter, track in named]

    def _merged(
        self, fields: Mapping[str, Any], looks: list[list[Window]], track: MediaRef | None, shared_by: int
    ) -> Observation:
        from aurelia_core.signals.look import merge_observations, observe_clip

        clip: MediaRef | None = fields.get("clip")
        if clip is None:
            raise InputError("the offline model measures a clip, and this request has none. Name a video")
        frames, samples = int(fields.get("frames") or 16), int(fields.get("samples") or 48000) // shared_by
        seen = []
        for windows in looks:
            spans = tuple((float(w["start"]), float(w["end"])) for w in windows)
            key = (clip["id"], track["id"] if track else "", spans, frames, samples)
            look = partial(observe_clip, self.store, clip, track, windows, frames, samples)
            seen.append(_recent_looks.get(key, look))
        return merge_observations(seen) if len(seen) > 1 else seen[0]


def make(name: str, store: Any) -> MeasuringChat:
    """The model `offline:name`.

    Raises:
        InputError: the name is not `measure`, the only model.
    """
    if name != "measure":
        raise InputError(f"There is no offline:{name}. The offline provider has one model, offline:measure.")
    return MeasuringChat(store=store)
