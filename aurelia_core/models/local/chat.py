"""`transformers:PATH_OR_ID`: open weights on this machine as a chat model for any role.

The name is a folder, or the id of a model that was downloaded from the hub; nothing is downloaded. A checkpoint's own
code runs only if the operator names it in AURELIA_TRUST_MODEL_CODE. Decoding is greedy. No schema is enforced; the
prompt describes the form of a reply. The cost is 0.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field, PrivateAttr

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.base import ClipModel
from aurelia_core.models.capabilities import missing_requirements
from aurelia_core.models.decoding import decodes_by_sampling
from aurelia_core.models.local.content import RequestConverter
from aurelia_core.models.local.loading import (
    LoadedProcessor,
    Placement,
    choose_placement,
    load_engine,
    load_processor_with_writer,
    own_code_note,
)
from aurelia_core.models.local.weights import Weights, find_weights
from aurelia_core.models.measured_text import evidence_params
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.types import Sense


class LocalChat(ClipModel, BaseChatModel):
    """A chat model that runs in this process.

    Attributes:
        weights: the checkpoint.
        placement: device, precision and limits.
        store: the `aurelia_core.media` ClipStore with the clips of requests.
    """

    weights: Weights
    placement: Placement
    store: Any = Field(exclude=True, repr=False)
    _processor: LoadedProcessor = PrivateAttr()
    _converter: RequestConverter = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Load the processor; the first call loads the weights."""
        self._processor = load_processor_with_writer(self.weights)
        self._converter = RequestConverter(self.store, self.weights.model_id, self._processor.senses)

    @property
    def _llm_type(self) -> str:
        return "transformers"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """Everything besides the messages that determines a reply: weights, device, precision, limits, modalities."""
        senses = self._processor.senses
        heard: dict[str, Any] = {}
        if not senses.hears:
            heard = evidence_params()
        return heard | {
            "weights": self.weights.fingerprint,
            "device": self.placement.device.partition(":")[0],
            "dtype": self.placement.dtype,
            "max_new_tokens": self._max_reply_tokens,
            "do_sample": False,
            "sees": senses.sees,
            "hears": senses.hears,
            "height": senses.family.height,
        }

    @property
    def _max_reply_tokens(self) -> int:
        return self.placement.max_reply_tokens or self._processor.senses.family.output

    @property
    def decoding_settings(self) -> frozenset[str]:
        """The decoding settings that the engine takes."""
        return frozenset({"system", "temperature", "top_p", "repetition_penalty", "max_tokens", "seed"})

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuse a clip that the model does not accept, before the run begins."""
        self._converter.check_clip(media, sees_clip=sees_clip)

    def repeats_itself(self, decoding: Mapping[str, Any]) -> bool:
        """Whether it decodes greedily: without a temperature above 0, and without top_p."""
        return not decodes_by_sampling(decoding)

    def missing_modalities(self, media: MediaRequest) -> list[Sense]:
        """The senses of the clip that the model does not accept: picture, sound."""
        return self._converter.missing_modalities(media)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._answer(messages, stop, lambda: False)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        cancelled = threading.Event()
        try:
            return await asyncio.to_thread(self._answer, messages, stop, cancelled.is_set)
        except asyncio.CancelledError:
            # The thread stops at its next token and releases the model.
            cancelled.set()
            raise

    def _answer(self, messages: list[BaseMessage], stop: list[str] | None, stopped: Callable[[], bool]) -> ChatResult:
        request = self._converter.parse(messages)
        engine = load_engine(self.weights, self.placement)
        most_tokens = min(request.sampling.get("max_tokens", self._max_reply_tokens), self._max_reply_tokens)
        generated = engine.answer(request, self._converter, most_tokens, stopped)
        text = generated.text
        for word in stop or []:
            text = text.partition(word)[0]
        prompt = generated.prompt
        notes = list(request.notes)
        finish_reason = "stop"
        if generated.truncated:
            finish_reason = "length"
        if self.weights.trusted:
            notes.append(own_code_note(self.weights))
        message = AIMessage(
            text,
            usage_metadata={
                "input_tokens": prompt.length,
                "output_tokens": generated.token_count,
                "total_tokens": prompt.length + generated.token_count,
                "input_token_details": {"cache_read": prompt.cached_tokens},
            },
            response_metadata={
                "cost_usd": 0.0,
                "media_uploads": 0,
                "notes": notes,
                "finish_reason": finish_reason,
                "local": {
                    "device": self.placement.device,
                    "dtype": self.placement.dtype,
                    "shown": self._processor.senses.sees,
                    "weights": self.weights.fingerprint[:12],
                    "reuse": engine.reuses_prefixes,
                    "family": self._processor.senses.family.state,
                    "media_encoded": prompt.media_count,
                },
            },
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


def make_local(name: str, store: ClipStore) -> LocalChat:
    """The local model with the weights `name` (a folder or a hub id).

    Raises:
        InputError: a package, the weights or one of their files is missing, or this transformers cannot run them.
    """
    missing = missing_requirements("transformers")
    if missing:
        raise InputError(f"transformers:{name} cannot be used here: it needs {', '.join(missing)}.")
    settings = store.settings
    any_folder = settings.allow_any_file or settings.any_weights_folder
    weights = find_weights(name, any_folder=any_folder, trusted=settings.trusted_models)
    return LocalChat(weights=weights, placement=choose_placement(), store=store)
