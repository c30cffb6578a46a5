"""One loaded model: encodes requests, caches the encoding of clips, and generates replies, one call at a time.

The keys and values of a head (system text, clip, facts about the clip) are computed once and reused for every later
request on the clip. If a template or a tokenizer does not allow to separate the head, the request is encoded whole.
"""

import gc
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

from aurelia_core.errors import AureliaError, ModelError
from aurelia_core.models.local.content import NO_PARTS, ChatRequest, MediaParts, RequestConverter, join_parts
from aurelia_core.models.local.prefix_cache import (
    CachedPrefix,
    PrefixCache,
    compact_cache,
    copy_cache,
    prefix_positions_match,
)
from aurelia_core.models.local.prompt_writer import ModelInputs, PromptWriter

_MEMORY_ERRORS = ("out of memory", "can't allocate memory", "not enough memory")


class EncodedPrompt(NamedTuple):
    """A request in the form of the model's inputs.

    Attributes:
        inputs: keyword arguments of `generate`.
        length: tokens of the request.
        cached_tokens: tokens that were encoded before.
        media_count: number of images, sounds and videos that were encoded for this request.
    """

    inputs: dict[str, Any]
    length: int
    cached_tokens: int
    media_count: int


class GeneratedReply(NamedTuple):
    """A reply, its length in tokens, whether the token limit truncated it, and its prompt."""

    text: str
    token_count: int
    truncated: bool
    prompt: EncodedPrompt


class InferenceEngine:
    """A model with its prompt writer and its prefix cache.

    Attributes:
        lock: held while the model works.
        prefixes: the cached encodings of clips.
        reuses_prefixes: whether encodings are cached.
    """

    def __init__(self, model_id: str, model: Any, writer: PromptWriter, *, reuses: bool, cache_bytes: int) -> None:
        """Use a loaded model; `cache_bytes` limits the prefix cache."""
        self.lock = threading.Lock()
        self.prefixes = PrefixCache(cache_bytes)
        self.reuses_prefixes = reuses
        self.model = model
        self._model_id = model_id
        self._writer = writer
        self._end_tokens = _end_tokens(model, writer)

    def answer(
        self,
        request: ChatRequest,
        converter: RequestConverter,
        max_tokens: int,
        stopped: Callable[[], bool] = lambda: False,
    ) -> GeneratedReply:
        """The model's reply.

        Args:
            request: the request.
            converter: decodes the clip if it is not cached.
            max_tokens: most tokens of the reply.
            stopped: called before every token; True ends the reply.

        Raises:
            InputError: the processor refuses the clip.
            ModelError: the request is too long for the model, or the model failed.
        """
        with self.lock:
            if stopped():
                raise ModelError(f"{self._model_id} was not called: the run has ended.")
            reply = self._answer_if_memory(request, converter, max_tokens, stopped)
            # Outside of the except clause: the traceback would keep a reference to the memory to free.
            if reply is None and self._free_memory():
                reply = self._answer_if_memory(request, converter, max_tokens, stopped)
            if reply is not None:
                return reply
            self._free_memory()
            raise ModelError(
                f"{self._model_id} does not fit into the memory of {self.model.device.type} with this clip: lower"
                " frames in the settings, set AURELIA_LOCAL_DTYPE=bfloat16, or choose another AURELIA_LOCAL_DEVICE."
            )

    def encode(self, request: ChatRequest, converter: RequestConverter, max_tokens: int = 0) -> EncodedPrompt:
        """The request as model inputs, with its head from the prefix cache; a new head is encoded and cached.

        Args:
            request: the request.
            converter: decodes the clip if it is not cached.
            max_tokens: most tokens of the reply.

        Raises:
            InputError: the processor refuses the clip.
            MediaError: the clip cannot be decoded.
        """
        if request.clip is None:
            return self._encode_whole(self._writer.conversation_text(request, []), NO_PARTS)
        if self.reuses_prefixes:
            reused = self._with_prefix(request, converter, max_tokens)
            if reused:
                return reused
        head = converter.head(request)
        parts = join_parts([head, request.closer_look])
        return self._encode_whole(self._writer.conversation_text(request, head.blocks), parts)

    def generate(self, encoded: EncodedPrompt, max_tokens: int, **more: Any) -> Any:
        """The result of transformers' `generate`, greedy unless `more` says otherwise: a dictionary with the tokens."""
        with torch.no_grad():
            return self.model.generate(
                **encoded.inputs,
                max_new_tokens=max_tokens,
                eos_token_id=self._end_tokens or None,
                return_dict_in_generate=True,
                **{"do_sample": False, **more},
            )

    def _answer_if_memory(
        self, request: ChatRequest, converter: RequestConverter, max_tokens: int, stopped: Callable[[], bool]
    ) -> GeneratedReply | None:
        """The reply; None if the memory is too small."""
        try:
            return self._answer(request, converter, max_tokens, stopped)
        except AureliaError:
            raise
        except Exception as fault:
            # A failed call may have left the prefix in a wrong state.
            self.prefixes.drop(_key(request))
            if is_memory_error(fault):
                return None
            text = " ".join(str(fault).split())[:200]
            raise ModelError(f"{self._model_id} failed ({type(fault).__name__}: {text}).") from fault

    def _answer(
        self, request: ChatRequest, converter: RequestConverter, max_tokens: int, stopped: Callable[[], bool]
    ) -> GeneratedReply:
        prompt = self.encode(request, converter, max_tokens)
        longest = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if longest and prompt.length + 1 > longest:
            raise ModelError(
                f"This request has {prompt.length} tokens, and {self._model_id} takes {longest}: lower frames in the"
                " settings, or give a shorter clip."
            )
        if longest:
            max_tokens = min(max_tokens, longest - prompt.length)
        if "seed" in request.sampling:
            torch.manual_seed(request.sampling["seed"])
        options = sampling_options(request.sampling)
        output = self.generate(prompt, max_tokens, stopping_criteria=[_Stop(stopped)], **options)
        reply = output["sequences"][0, prompt.length :].tolist()
        truncated = not reply or reply[-1] not in self._end_tokens
        text = self._writer.decode_reply(reply)
        if text is None:
            raise ModelError(
                f"{self._model_id} was still thinking after {max_tokens} tokens: raise AURELIA_LOCAL_TOKENS."
            )
        return GeneratedReply(text, len(reply), truncated, prompt)

    def _with_prefix(self, request: ChatRequest, converter: RequestConverter, max_tokens: int) -> EncodedPrompt | None:
        """The request after its cached head; None if the two cannot be separated."""
        key = _key(request)
        prefix = self.prefixes.get(key)
        head: MediaParts | None = None
        if prefix is not None:
            blocks = prefix.blocks
        else:
            head = converter.head(request)
            blocks = head.blocks
        head_text = self._writer.head_text(request, blocks)
        text = self._writer.conversation_text(request, blocks)
        head_tokens = self._writer.tokenize(head_text)
        tokens = self._writer.tokenize(text)
        if prefix and tokens[: len(prefix.placeholder_tokens)] != prefix.placeholder_tokens:
            prefix = None
        is_new = prefix is None
        if prefix is None:
            head = head or converter.head(request)
            prefix = self._encode_prefix(head_text, head, head_tokens, _common_length(head_tokens, tokens))
            if prefix is None:
                return None
            self.prefixes.encoded_count += 1
            self.prefixes.put(key, prefix)
        rest = self._encode_rest(request, prefix, (head_text, text), tokens)
        length = prefix.tokens.shape[1]
        if rest is None:
            return None
        total_length = length + rest.tokens.shape[1] + max_tokens
        if not prefix_positions_match(self.model.config, length, total_length):
            return None
        media_count = request.closer_look.media_count
        if is_new:
            return self._joined(prefix, rest, media_count + prefix.media_count, cached_tokens=0)
        self.prefixes.hit_count += 1
        return self._joined(prefix, rest, media_count, cached_tokens=length)

    def _encode_prefix(
        self, head_text: str, head: MediaParts, head_tokens: list[int], common: int
    ) -> CachedPrefix | None:
        """Encode the first `common` tokens of the head: those that the following text does not change."""
        encoded = self._writer.build_inputs(head_text, head)
        placeholder_tokens = head_tokens[:common]
        dropped = head_tokens[common:]
        length = encoded.tokens.shape[1] - len(dropped)
        all_tokens = encoded.tokens[0].tolist()
        if all_tokens[length:] != dropped or set(dropped) & self._writer.media_ids or not placeholder_tokens:
            return None
        tokens = encoded.tokens[:, :length]
        token_inputs = {name: value[:, :length] for name, value in encoded.token_inputs.items()}
        inputs = self._on_device(
            {"input_ids": tokens, "attention_mask": torch.ones_like(tokens), **token_inputs, **encoded.media}
        )
        prompt = EncodedPrompt(inputs, length, 0, head.media_count)
        cache = self.generate(prompt, 1).get("past_key_values")
        if cache is None or cache.get_seq_length() != length:
            self.reuses_prefixes = False
            return None
        return CachedPrefix(
            blocks=head.blocks,
            placeholder_tokens=placeholder_tokens,
            tokens=tokens,
            token_inputs=token_inputs,
            position_inputs=encoded.position_inputs,
            cache=cache,
            media_count=head.media_count,
            cache_bytes=compact_cache(cache),
        )

    def _encode_rest(
        self, request: ChatRequest, prefix: CachedPrefix, texts: tuple[str, str], tokens: list[int]
    ) -> ModelInputs | None:
        """The inputs after the cached head; None if a closer look cannot be separated from the head."""
        rest = tokens[len(prefix.placeholder_tokens) :]
        if not request.closer_look.media_count:
            return ModelInputs(torch.tensor([rest], dtype=prefix.tokens.dtype), {}, {})
        head_text, whole_text = texts
        text = whole_text[len(head_text) :]
        text_tokens = self._writer.tokenize(text, begins=False)
        if not whole_text.startswith(head_text) or rest[len(rest) - len(text_tokens) :] != text_tokens:
            return None
        # Tokens of the head that are not in the cache, because the following text could change them.
        between = torch.tensor([rest[: len(rest) - len(text_tokens)]], dtype=prefix.tokens.dtype)
        encoded = self._writer.build_inputs(text, request.closer_look, begins=False)
        zeros = torch.zeros_like(between)
        token_inputs = {
            name: torch.cat([zeros.to(value.dtype), value], 1) for name, value in encoded.token_inputs.items()
        }
        return ModelInputs(torch.cat([between, encoded.tokens], 1), token_inputs, encoded.media)

    def _joined(
        self, prefix: CachedPrefix, rest: ModelInputs, media_count: int, *, cached_tokens: int
    ) -> EncodedPrompt:
        """The prompt with the keys and values of the prefix and the inputs of the rest."""
        tokens = torch.cat([prefix.tokens, rest.tokens], dim=1)
        zeros = torch.zeros_like(rest.tokens)
        token_inputs = {
            name: torch.cat([value, rest.token_inputs.get(name, zeros)], 1)
            for name, value in prefix.token_inputs.items()
        }
        inputs = self._on_device(
            {"input_ids": tokens, "attention_mask": torch.ones_like(tokens), **token_inputs, **rest.media}
        )
        position_inputs = dict(rest.position_inputs)
        for name, value in prefix.position_inputs.items():
            position_inputs[name] = _concatenated(value, rest.position_inputs.get(name))
        prepare_positions = getattr(self.model, "_prepare_position_ids_for_generation", None)
        if prepare_positions is not None:
            arguments = self._on_device({"attention_mask": inputs["attention_mask"], **token_inputs, **position_inputs})
            inputs["position_ids"] = prepare_positions(inputs["input_ids"], arguments)
        inputs["past_key_values"] = copy_cache(prefix.cache)
        return EncodedPrompt(inputs, tokens.shape[1], cached_tokens, media_count)

    def _encode_whole(self, text: str, parts: MediaParts) -> EncodedPrompt:
        encoded = self._writer.build_inputs(text, parts)
        mask = torch.ones_like(encoded.tokens)
        inputs = self._on_device(
            {"input_ids": encoded.tokens, "attention_mask": mask, **encoded.token_inputs, **encoded.media}
        )
        return EncodedPrompt(inputs, encoded.tokens.shape[1], 0, parts.media_count)

    def _on_device(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The inputs on the model's device; floating-point tensors of two or more dimensions in its dtype."""
        moved = {}
        for name, value in inputs.items():
            if isinstance(value, torch.Tensor):
                value = value.to(self.model.device)
                if value.is_floating_point() and value.ndim > 1:
                    value = value.to(self.model.dtype)
            moved[name] = value
        return moved

    def _free_memory(self) -> bool:
        """Delete the cached prefixes and free unused memory; False if no prefix was cached."""
        had_prefixes = self.prefixes.clear()
        gc.collect()
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()
        return had_prefixes


def sampling_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """Decoding settings as options of `generate`; a temperature above 0, or top_p, samples."""
    options = {name: values[name] for name in ("top_p", "repetition_penalty") if name in values}
    if values.get("temperature"):
        options["temperature"] = float(values["temperature"])
    if options.keys() & {"temperature", "top_p"}:
        options["do_sample"] = values.get("temperature") != 0
    if options.get("do_sample") is False:
        options.pop("top_p", None)
    return options


class _Stop:
    """A stopping criterion for transformers that calls a function."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self._stopped(), device=input_ids.device, dtype=torch.bool)


def _key(request: ChatRequest) -> Any:
    if request.clip is None:
        return (None, request.system)
    return (request.clip.cache_key, request.system)


def _end_tokens(model: Any, writer: PromptWriter) -> list[int]:
    """The tokens that end a reply, from the generation settings and the tokenizer."""
    tokens = getattr(model.generation_config, "eos_token_id", None)
    if tokens is None:
        tokens = []
    elif not isinstance(tokens, list):
        tokens = [tokens]
    return sorted({int(token) for token in tokens} | set(writer.end_ids))


def _common_length(one: list[int], other: list[int]) -> int:
    for number, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return number
    return min(len(one), len(other))


def _concatenated(first: Any, second: Any) -> Any:
    """The grids or masks of two media as one; the narrower mask is padded with zeros."""
    if second is None or not isinstance(first, torch.Tensor):
        return first
    if first.ndim == 2:
        width = max(first.shape[1], second.shape[1])
        first, second = (torch.nn.functional.pad(mask, (0, width - mask.shape[1])) for mask in (first, second))
    return torch.cat([first, second], dim=0)


def is_memory_error(fault: BaseException) -> bool:
    """Whether a device or the machine had too little memory; on a processor torch says so in a RuntimeError."""
    if isinstance(fault, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(fault, RuntimeError) and any(words in str(fault).lower() for words in _MEMORY_ERRORS)
