"""Writes a request in a model's own chat template and turns text and media into its inputs. It runs no model.

A template that lets a model think first is request not to: here the loop reasons. One that always thinks has its thoughts
taken off its reply.
"""

import re
from typing import Any, NamedTuple

from aurelia_core.errors import InputError
from aurelia_core.models.local.content import ChatRequest, ContentBlock, MediaParts, VideoClip
from aurelia_core.models.local.processor import ModelSenses

_END_OF_HEAD = "[[HEAD-ENDS-HERE]]"
_PROBE = ("system probe 71", "user probe 72")
_GAP = "\n\n"
_THINKS, _THOUGHT = "<think>", "</think>"


class ModelInputs(NamedTuple):
    """What a processor made of text and media.

    Attributes:
        tokens: int64[1, L], every medium at its full length.
        kinds: what it gives each token beside its id, by name: [1, L].
        media: tensors of the media, by name.
    """

    tokens: Any
    kinds: dict[str, Any]
    media: dict[str, Any]

    @property
    def small(self) -> dict[str, Any]:
        """The media's grids and masks, from which positions are computed; not the media themselves."""
        return {
            name: value
            for name, value in self.media.items()
            if not hasattr(value, "ndim") or value.ndim <= 1 or not value.is_floating_point()
        }


class PromptWriter:
    """One model's way of writing."""

    def __init__(self, model_id: str, processor: Any, senses: ModelSenses) -> None:
        """Tries how the model's template takes a system text.

        Raises:
            InputError: there is no chat template, or it cannot be used.
        """
        self._model_id = model_id
        self._processor = processor
        self._tokenizer = getattr(processor, "tokenizer", processor)
        self._senses = senses
        # Some processors have none of their own although their tokenizer has one.
        own = getattr(processor, "chat_template", None)
        self._template = own or getattr(self._tokenizer, "chat_template", None)
        self._how = {"enable_thinking": False} if "enable_thinking" in str(self._template) else {}
        special = {str(token) for token in self._tokenizer.all_special_tokens}
        special |= {str(t) for t in self._tokenizer.added_tokens_decoder.values() if getattr(t, "special", True)}
        special |= {str(token) for name in ("image", "audio", "video") if (token := self._named(f"{name}_token"))}
        self._special = re.compile("|".join(re.escape(token) for token in sorted(special, key=len, reverse=True)))
        self._system = self._way_of_system()

    @property
    def media_ids(self) -> set[int]:
        """The tokens that stand for media."""
        found = {self._named(f"{name}_token_id") for name in ("image", "audio", "video")}
        return {int(token) for token in found if token is not None}

    @property
    def end_ids(self) -> list[int]:
        """The tokens that end a reply, as the tokenizer has them."""
        end = self._tokenizer.eos_token_id
        return [] if end is None else [int(end)]

    def head(self, request: ChatRequest, blocks: list[ContentBlock]) -> str:
        """The text with which every conversation on the clip begins."""
        content = [*blocks, _text(f"{self.plain(request.about)}{_GAP}{_END_OF_HEAD}")]
        return self._render(request.system, [("user", content)], more=False).split(_END_OF_HEAD)[0]

    def whole(self, request: ChatRequest, blocks: list[ContentBlock]) -> str:
        """The conversation as text, up to where the reply begins."""
        turns: list[tuple[str, list[ContentBlock]]] = []
        for number, (role, text) in enumerate(request.turns):
            content = [_text(self.plain(text))]
            if number == 0 and request.clip is not None:
                content = [*blocks, _text(self.plain(request.about) + _GAP), *request.look.blocks, *content]
            turns.append((role, content))
        return self._render(request.system, turns, more=True)

    def tokens(self, text: str, *, begins: bool = True) -> list[int]:
        """The text's tokens, each medium one placeholder; `begins`: whether it begins a conversation."""
        found = self._tokenizer(text, add_special_tokens=begins and self._adds_special(text))
        return [int(token) for token in found["input_ids"]]

    def inputs(self, text: str, shown: MediaParts, *, begins: bool = True) -> ModelInputs:
        """The text and its media as the model takes them.

        Raises:
            InputError: the processor cannot make anything of them.
        """
        given: dict[str, Any] = {"text": [text], "return_tensors": "pt"}
        if not (begins and self._adds_special(text)):
            given["add_special_tokens"] = False
        if shown.images:
            given["images"] = shown.images
        inside = {number: film.sound for number, film in enumerate(shown.films) if film.sound is not None}
        if shown.sounds or inside:
            given["audio"] = [*shown.sounds, *inside.values()]
            given["audio_kwargs"] = {"sampling_rate": self._senses.rate}
        if inside:
            given["load_audio_from_video"] = True
            given["audio_from_video_indices"] = [*(None for _ in shown.sounds), *inside]
        if shown.films:
            given |= _filmed(shown.films)
        try:
            made = dict(self._processor(**given))
        except (ValueError, TypeError, KeyError, IndexError, RuntimeError, ImportError) as fault:
            said = " ".join(str(fault).split())[:200]
            raise InputError(
                f"The processor of {self._model_id} does not take this clip ({type(fault).__name__}: {said}):"
                " try other frames in the settings, or another model."
            ) from None
        tokens = made.pop("input_ids")
        made.pop("attention_mask", None)
        kinds = {name: value for name, value in made.items() if getattr(value, "shape", None) == tokens.shape}
        media = {name: value for name, value in made.items() if name not in kinds and value is not None}
        if inside:
            media["use_audio_in_video"] = True
        return ModelInputs(tokens, kinds, media)

    def text(self, tokens: Any) -> str | None:
        """A reply's tokens as text, without its thoughts; None where the reply ends within them."""
        text = str(self._tokenizer.decode(tokens, skip_special_tokens=True)).strip()
        if not (self._thinks or text.startswith(_THINKS)):
            return text
        _, end, answer = text.rpartition(_THOUGHT)
        return answer.strip() if end else None

    def plain(self, text: str) -> str:
        """The text with the model's control tokens broken up: what users and agents write is no control."""
        return self._special.sub(lambda found: f"{found[0][:1]} {found[0][1:]}", text)

    def _adds_special(self, text: str) -> bool:
        start = self._tokenizer.bos_token
        return not (start and text.startswith(start))

    def _named(self, name: str) -> Any:
        return getattr(self._processor, name, None) or getattr(self._tokenizer, name, None)

    def _way_of_system(self) -> str:
        """How the template takes a system text: as a string, as blocks, or (no such role) before the user's text."""
        for way in ("text", "blocks", "none"):
            self._system = way
            try:
                said = self._render(_PROBE[0], [("user", [_text(_PROBE[1])])], more=True)
            except InputError:
                continue
            if said.count(_PROBE[0]) == 1 and said.count(_PROBE[1]) == 1:
                self._thinks = said.rstrip().endswith(_THINKS)
                return way
        raise InputError(
            f"{self._model_id} has no chat template that can be used: give a model that was tuned for chat."
        )

    def _render(self, system: str, turns: list[tuple[str, list[ContentBlock]]], *, more: bool) -> str:
        from jinja2 import TemplateError

        said: list[dict[str, Any]] = []
        if system and self._system != "none":
            text = self.plain(system)
            said.append({"role": "system", "content": text if self._system == "text" else [_text(text)]})
        for number, (role, content) in enumerate(turns):
            if number == 0 and system and self._system == "none":
                content = [_text(self.plain(system) + _GAP), *content]
            said.append({"role": role, "content": _merged(content)})
        try:
            return str(
                self._processor.apply_chat_template(
                    said, chat_template=self._template, tokenize=False, add_generation_prompt=more, **self._how
                )
            )
        except (TemplateError, ValueError, TypeError, KeyError) as fault:
            raise InputError(
                f"The chat template of {self._model_id} cannot be used ({type(fault).__name__})."
            ) from None


def _filmed(films: list[VideoClip]) -> dict[str, Any]:
    """The arguments for a video processor; frames are given as they are, it takes none away."""
    rates = [len(film.images) / film.seconds for film in films]
    facts = [
        {
            "total_num_frames": len(film.images),
            "fps": rate,
            "duration": film.seconds,
            "frames_indices": list(range(len(film.images))),
        }
        for film, rate in zip(films, rates, strict=True)
    ]
    # Some processors take one rate for all videos: a closer look has its own only where it is encoded apart.
    settings = {"do_sample_frames": False, "fps": rates[0], "video_metadata": facts}
    return {"videos": [film.images for film in films], "videos_kwargs": settings}


def _merged(content: list[ContentBlock]) -> list[ContentBlock]:
    """The content with neighbouring texts as one: some templates cut the space off each."""
    out: list[ContentBlock] = []
    for block in content:
        if out and block["type"] == out[-1]["type"] == "text":
            out[-1] = _text(out[-1]["text"] + block["text"])
        else:
            out.append(block)
    return out


def _text(text: str) -> ContentBlock:
    return {"type": "text", "text": text}
