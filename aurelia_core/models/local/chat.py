"""`transformers:PATH_OR_ID`: open weights on this machine as a chat model for any role.

A folder, or the id of a model that was downloaded from the hub; nothing is downloaded, and no code of a checkpoint is
run but where the operator named it (AURELIA_TRUST_MODEL_CODE). Replies are greedy. The form of a reply is asked for in
the prompt only; the weights cost nothing.
"""

import asyncio
import threading
from collections.abc import Callable
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
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.types import Sense


class LocalChat(ClipModel, BaseChatModel):
    """A chat model that runs in this process.

    Attributes:
        weights: which ones.
        here: where they run.
        store: the `aurelia_core.media` ClipStore that the clips of requests are read from.
    """

    weights: Weights
    here: Placement
    store: Any = Field(exclude=True, repr=False)
    _reader: LoadedProcessor = PrivateAttr()
    _converter: RequestConverter = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Loads the processor; the weights are loaded when the model is first asked."""
        self._reader = load_processor_with_writer(self.weights)
        self._converter = RequestConverter(self.store, self.weights.model_id, self._reader.senses)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """False: a clip store cannot be rebuilt from a trace."""
        return False

    @property
    def _llm_type(self) -> str:
        return "transformers"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """What decides a reply beside the messages: weights, device and precision, limits, and what is shown."""
        senses = self._reader.senses
        return {
            "weights": self.weights.fingerprint,
            "device": self.here.device.partition(":")[0],
            "dtype": self.here.dtype,
            "max_new_tokens": self._most,
            "do_sample": False,
            "sees": senses.sees,
            "hears": senses.hears,
            "height": senses.row.height,
        }

    @property
    def _most(self) -> int:
        return self.here.tokens or self._reader.senses.row.output

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuses, before a run begins, what the model cannot carry."""
        self._converter.check_clip(media, sees_clip=sees_clip)

    def missing_modalities(self, media: MediaRequest) -> list[Sense]:
        """Which of the clip's senses the model cannot take: picture, sound."""
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
        left = threading.Event()
        try:
            return await asyncio.to_thread(self._answer, messages, stop, left.is_set)
        except asyncio.CancelledError:
            # Nobody waits for this answer: the thread stops at its next token and releases the model.
            left.set()
            raise

    def _answer(self, messages: list[BaseMessage], stop: list[str] | None, stopped: Callable[[], bool]) -> ChatResult:
        request = self._converter.parse(messages)
        engine = load_engine(self.weights, self.here)
        generated = engine.answer(request, self._converter, self._most, stopped)
        text = generated.text
        for word in stop or []:
            text = text.partition(word)[0]
        encoded = generated.request
        notes = list(request.notes)
        if self.weights.trusted:
            notes.append(own_code_note(self.weights))
        message = AIMessage(
            text,
            usage_metadata={
                "input_tokens": encoded.length,
                "output_tokens": generated.tokens,
                "total_tokens": encoded.length + generated.tokens,
                "input_token_details": {"cache_read": encoded.cached},
            },
            response_metadata={
                "cost_usd": 0.0,
                "media_uploads": 0,
                "notes": notes,
                "finish_reason": "length" if generated.cut else "stop",
                "local": {
                    "device": self.here.device,
                    "dtype": self.here.dtype,
                    "shown": self._reader.senses.sees,
                    "weights": self.weights.fingerprint[:12],
                    "reuse": engine.reuses,
                    "family": self._reader.senses.row.state,
                    "media_encoded": encoded.media,
                },
            },
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


def make_local(name: str, store: ClipStore) -> LocalChat:
    """The weights `name` (a folder or a hub id), run here.

    Raises:
        InputError: a package, the weights or a file of them is missing, or this transformers cannot run them.
    """
    lacks = missing_requirements("transformers")
    if lacks:
        raise InputError(f"transformers:{name} cannot be asked here: it needs {', '.join(lacks)}.")
    weights = find_weights(name, any_folder=store.settings.allow_any_file, trusted=store.settings.trusted_models)
    return LocalChat(weights=weights, here=choose_placement(), store=store)
