"""One loaded model: encodes requests, keeps the encoding of clips, and generates. Calls are answered one by one.

The keys and values of a head (system text, clip, what is request of it) are computed once and used for every later request
on the clip. Where a template or a tokenizer does not let the head be request apart, a request is encoded whole.
"""

import gc
import threading
from collections.abc import Callable
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

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


class EncodedPrompt(NamedTuple):
    """A request as the model takes it.

    Attributes:
        inputs: what `generate` is given.
        length: tokens of the request.
        cached: how many of them had been encoded before.
        media: pictures, sounds and films that were encoded for it.
    """

    inputs: dict[str, Any]
    length: int
    cached: int
    media: int


class GeneratedReply(NamedTuple):
    """A reply, its length in tokens, whether it was cut off at the limit, and the request that it answers."""

    text: str
    tokens: int
    cut: bool
    request: EncodedPrompt


class InferenceEngine:
    """A model with its writer and its kept encodings.

    Attributes:
        lock: held while the model works.
        prefixes: the kept encodings of clips.
        reuses: whether any are kept.
    """

    def __init__(self, model_id: str, model: Any, writer: PromptWriter, *, reuses: bool, cache_bytes: int) -> None:
        """Takes over a loaded model."""
        self.lock = threading.Lock()
        self.prefixes = PrefixCache(cache_bytes)
        self.reuses = reuses
        self.model = model
        self._model_id = model_id
        self._writer = writer
        self._ends = _ends(model, writer)

    def answer(
        self, request: ChatRequest, converter: RequestConverter, most: int, stopped: Callable[[], bool] = lambda: False
    ) -> GeneratedReply:
        """The model's reply.

        Args:
            request: the request.
            converter: decodes the clip where it is not encoded yet.
            most: most tokens of the reply.
            stopped: asked before every token; True ends the reply.

        Raises:
            InputError: the processor refuses the clip.
            ModelError: the request is longer than the model takes, or the model failed.
        """
        with self.lock:
            if stopped():
                raise ModelError(f"{self._model_id} was not asked: the run that wanted it has ended.")
            said = self._tried(request, converter, most, stopped)
            # Not in the except clause, whose traceback would hold what has to be freed.
            if said is None and self._free():
                said = self._tried(request, converter, most, stopped)
            if said is not None:
                return said
            self._free()
            raise ModelError(
                f"{self._model_id} does not fit into the memory of {self.model.device.type} with this clip: lower frames in"
                " the settings, set AURELIA_LOCAL_DTYPE=bfloat16, or choose another AURELIA_LOCAL_DEVICE."
            )

    def encode(self, request: ChatRequest, converter: RequestConverter, most: int = 0) -> EncodedPrompt:
        """The request as the model takes it, its head from what is kept, or encoded now and kept.

        Args:
            request: the request.
            converter: decodes the clip where it is not encoded yet.
            most: most tokens that will be written behind it.

        Raises:
            InputError: the processor refuses the clip.
            MediaError: the clip cannot be decoded.
        """
        if request.clip is None:
            return self._plainly(self._writer.inputs(self._writer.whole(request, []), NO_PARTS), NO_PARTS)
        if self.reuses:
            reused = self._with_prefix(request, converter, most)
            if reused:
                return reused
        head = converter.head(request)
        shown = join_parts([head, request.look])
        return self._plainly(self._writer.inputs(self._writer.whole(request, head.blocks), shown), shown)

    def generate(self, encoded: EncodedPrompt, most: int, **more: Any) -> Any:
        """What transformers' `generate` returns for the request, greedily, as a dictionary with the tokens."""
        with torch.no_grad():
            return self.model.generate(
                **encoded.inputs,
                max_new_tokens=most,
                do_sample=False,
                eos_token_id=self._ends or None,
                return_dict_in_generate=True,
                **more,
            )

    def _tried(
        self, request: ChatRequest, converter: RequestConverter, most: int, stopped: Callable[[], bool]
    ) -> GeneratedReply | None:
        """The reply; None when the memory did not suffice."""
        try:
            return self._answer(request, converter, most, stopped)
        except AureliaError:
            raise
        except Exception as fault:
            # What a failure left behind is not trusted.
            self.prefixes.drop(_key(request))
            if _is_memory(fault):
                return None
            said = " ".join(str(fault).split())[:200]
            raise ModelError(f"{self._model_id} failed ({type(fault).__name__}: {said}).") from fault

    def _answer(
        self, request: ChatRequest, converter: RequestConverter, most: int, stopped: Callable[[], bool]
    ) -> GeneratedReply:
        encoded = self.encode(request, converter, most)
        longest = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if longest and encoded.length + 1 > longest:
            raise ModelError(
                f"This request has {encoded.length} tokens, and {self._model_id} takes {longest}: lower frames in the"
                " settings, or give a shorter clip."
            )
        most = min(most, longest - encoded.length) if longest else most
        made = self.generate(encoded, most, stopping_criteria=[_Stop(stopped)])
        reply = made["sequences"][0, encoded.length :].tolist()
        cut = not reply or reply[-1] not in self._ends
        text = self._writer.text(reply)
        if text is None:
            raise ModelError(f"{self._model_id} was still thinking after {most} tokens: raise AURELIA_LOCAL_TOKENS.")
        return GeneratedReply(text, len(reply), cut, encoded)

    def _with_prefix(self, request: ChatRequest, converter: RequestConverter, most: int) -> EncodedPrompt | None:
        """The request behind its kept head; None where the two cannot be request apart."""
        key = _key(request)
        kept = self.prefixes.get(key)
        head = None if kept else converter.head(request)
        blocks = kept.blocks if kept else head.blocks if head else []
        opening, text = self._writer.head(request, blocks), self._writer.whole(request, blocks)
        plain_head, plain = self._writer.tokens(opening), self._writer.tokens(text)
        if kept and plain[: len(kept.plain)] != kept.plain:
            kept = None
        new = kept is None
        if kept is None:
            kept = self._prefill(opening, head or converter.head(request), plain_head, _common(plain_head, plain))
            if kept is None:
                return None
            self.prefixes.made += 1
            self.prefixes.keep(key, kept)
        rest = self._rest(request, kept, (opening, text), plain)
        length = kept.tokens.shape[1]
        if rest is None or not prefix_positions_match(self.model.config, length, length + rest.tokens.shape[1] + most):
            return None
        self.prefixes.used += not new
        return self._joined(kept, rest, request.look.media + kept.media * new, 0 if new else length)

    def _prefill(self, opening: str, head: MediaParts, plain: list[int], common: int) -> CachedPrefix | None:
        """Encodes the head as far as the next text leaves its tokens as they are: `common` of its `plain` ones."""
        made = self._writer.inputs(opening, head)
        plain, dropped = plain[:common], plain[common:]
        length = made.tokens.shape[1] - len(dropped)
        whole = made.tokens[0].tolist()
        if whole[length:] != dropped or set(dropped) & self._writer.media_ids or not plain:
            return None
        tokens = made.tokens[:, :length]
        kinds = {name: value[:, :length] for name, value in made.kinds.items()}
        inputs = self._placed({"input_ids": tokens, "attention_mask": torch.ones_like(tokens), **kinds, **made.media})
        encoded = EncodedPrompt(inputs, length, 0, head.media)
        cache = self.generate(encoded, 1).get("past_key_values")
        if cache is None or cache.get_seq_length() != length:
            self.reuses = False
            return None
        return CachedPrefix(head.blocks, plain, tokens, kinds, made.small, cache, head.media, compact_cache(cache))

    def _rest(
        self, request: ChatRequest, kept: CachedPrefix, texts: tuple[str, str], plain: list[int]
    ) -> ModelInputs | None:
        """What stands behind the kept head; None where a closer look cannot be request apart from it."""
        rest = plain[len(kept.plain) :]
        if not request.look.media:
            return ModelInputs(torch.tensor([rest], dtype=kept.tokens.dtype), {}, {})
        text = texts[1][len(texts[0]) :]
        own = self._writer.tokens(text, begins=False)
        if not texts[1].startswith(texts[0]) or rest[len(rest) - len(own) :] != own:
            return None
        # Tokens that the head shares with this text stand between the kept ones and those of the text alone.
        between = torch.tensor([rest[: len(rest) - len(own)]], dtype=kept.tokens.dtype)
        made = self._writer.inputs(text, request.look, begins=False)
        zeros = torch.zeros_like(between)
        kinds = {name: torch.cat([zeros.to(value.dtype), value], 1) for name, value in made.kinds.items()}
        return ModelInputs(torch.cat([between, made.tokens], 1), kinds, made.media)

    def _joined(self, kept: CachedPrefix, rest: ModelInputs, media: int, cached: int) -> EncodedPrompt:
        tokens = torch.cat([kept.tokens, rest.tokens], dim=1)
        zeros = torch.zeros_like(rest.tokens)
        kinds = {name: torch.cat([value, rest.kinds.get(name, zeros)], 1) for name, value in kept.kinds.items()}
        inputs = self._placed({"input_ids": tokens, "attention_mask": torch.ones_like(tokens), **kinds, **rest.media})
        small = {name: _behind(value, rest.small.get(name)) for name, value in kept.small.items()}
        small |= {name: value for name, value in rest.small.items() if name not in small}
        positions = getattr(self.model, "_prepare_position_ids_for_generation", None)
        if positions is not None:
            request = self._placed({"attention_mask": inputs["attention_mask"], **kinds, **small})
            inputs["position_ids"] = positions(inputs["input_ids"], request)
        inputs["past_key_values"] = copy_cache(kept.cache)
        return EncodedPrompt(inputs, tokens.shape[1], cached, media)

    def _plainly(self, made: ModelInputs, shown: MediaParts) -> EncodedPrompt:
        mask = torch.ones_like(made.tokens)
        inputs = self._placed({"input_ids": made.tokens, "attention_mask": mask, **made.kinds, **made.media})
        return EncodedPrompt(inputs, made.tokens.shape[1], 0, shown.media)

    def _placed(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The tensors where the model is, those of numbers in its own dtype."""
        device, dtype = self.model.device, self.model.dtype
        return {
            name: value.to(device, dtype if value.is_floating_point() and value.ndim > 1 else value.dtype)
            if isinstance(value, torch.Tensor)
            else value
            for name, value in inputs.items()
        }

    def _free(self) -> bool:
        had = self.prefixes.clear()
        gc.collect()
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()
        return had


class _Stop:
    """A stopping criterion that asks somebody else."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self._stopped(), device=input_ids.device, dtype=torch.bool)


def _key(request: ChatRequest) -> Any:
    return (request.clip.cache_key if request.clip else None, request.system)


def _ends(model: Any, writer: PromptWriter) -> list[int]:
    """The tokens that end a reply: those of the generation settings and of the tokenizer."""
    known = getattr(model.generation_config, "eos_token_id", None)
    listed = known if isinstance(known, list) else [] if known is None else [known]
    return sorted({int(token) for token in listed} | set(writer.end_ids))


def _common(one: list[int], other: list[int]) -> int:
    for number, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return number
    return min(len(one), len(other))


def _behind(first: Any, then: Any) -> Any:
    """Two media's grids, or masks: the shorter one's padded with zeros."""
    if then is None or not isinstance(first, torch.Tensor):
        return first
    if first.ndim == 2:
        width = max(first.shape[1], then.shape[1])
        first, then = (torch.nn.functional.pad(mask, (0, width - mask.shape[1])) for mask in (first, then))
    return torch.cat([first, then], dim=0)


def _is_memory(fault: BaseException) -> bool:
    if isinstance(fault, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(fault, RuntimeError) and any(words in str(fault).lower() for words in _NO_MEMORY)
