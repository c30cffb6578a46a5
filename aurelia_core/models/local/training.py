"""A request and its wanted reply as the inputs of one training step, by the way on which inference encodes requests.

Clip and sound are in every sample: the same converter decodes them, and the same processor encodes them.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from langchain_core.messages import AnyMessage

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.local.content import RequestConverter, join_parts
from aurelia_core.models.local.loading import LoadedProcessor

IGNORED_LABEL = -100
"""Label of a token that the loss leaves out: everything but the reply."""


class TrainingInputs(NamedTuple):
    """One sample.

    Attributes:
        inputs: keyword arguments of the model's forward pass, `labels` among them; a batch of one.
        length: tokens of request and reply together.
        reply_length: tokens of the reply, the end mark included.
        media_count: number of images, sounds and videos.
    """

    inputs: dict[str, Any]
    length: int
    reply_length: int
    media_count: int


class SampleEncoder:
    """Encodes samples for one model."""

    def __init__(self, model_id: str, loaded: LoadedProcessor, store: ClipStore, dtype: torch.dtype) -> None:
        """Use a loaded processor.

        Args:
            model_id: the model's name in messages.
            loaded: its processor and prompt writer.
            store: the clip store with the clips of the requests.
            dtype: dtype of the model, to which media tensors are converted.
        """
        self._model_id = model_id
        self._writer = loaded.writer
        self._converter = RequestConverter(store, model_id, loaded.senses)
        self._dtype = dtype

    def encode(self, messages: Sequence[AnyMessage], reply: str) -> TrainingInputs:
        """The request of these messages with its media, and the reply as the text to learn.

        Raises:
            InputError: the model does not take the clip, or the request has a clip and no medium reached the model.
            MediaError: the clip cannot be decoded.
        """
        request = self._converter.parse(messages)
        head = self._converter.head(request)
        if request.clip is not None and not head.media_count:
            raise InputError(
                f"{self._model_id} takes neither picture nor sound, so nothing of {request.clip.clip['name']} would be"
                " in the sample: train a model that sees or hears."
            )
        parts = join_parts([head, request.closer_look])
        encoded = self._writer.build_inputs(self._writer.conversation_text(request, head.blocks), parts)
        said = self._writer.tokenize(self._writer.reply_text(reply), begins=False)
        after = torch.tensor([said], dtype=encoded.tokens.dtype)
        tokens = torch.cat([encoded.tokens, after], 1)
        labels = torch.full_like(tokens, IGNORED_LABEL)
        labels[:, encoded.tokens.shape[1] :] = after
        inputs: dict[str, Any] = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens), "labels": labels}
        for name, value in encoded.token_inputs.items():
            inputs[name] = torch.cat([value, torch.zeros_like(after).to(value.dtype)], 1)
        inputs |= {name: self._converted(value) for name, value in encoded.media.items()}
        return TrainingInputs(inputs, tokens.shape[1], len(said), parts.media_count)

    def _converted(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.is_floating_point() and value.ndim > 1:
            return value.to(self._dtype)
        return value
