"""Writes a request in a model's own chat template and converts text and media to the model's inputs.

Thinking is switched off if the template allows it, because the agents' loop reasons. Thoughts of a model that always
thinks are removed from its reply.
"""

import re
from typing import Any, NamedTuple

from aurelia_core.errors import InputError
from aurelia_core.models.local.content import ChatRequest, ContentBlock, MediaParts, VideoClip
from aurelia_core.models.local.processor import ModelSenses

_END_OF_HEAD = "[[HEAD-ENDS-HERE]]"
_PROBE = ("system probe 71", "user probe 72", "reply probe 73")
_GAP = "\n\n"
_THINKS, _THOUGHT = "<think>", "</think>"
# Inkling writes thoughts and answer as messages of two kinds of content.
_THINKING_PART, _TEXT_PART = "<|content_thinking|>", "<|content_text|>"


class ModelInputs(NamedTuple):
    """The output of a processor for text and media.

    Attributes:
        tokens: int64[1, L], every medium at its full length.
        token_inputs: further inputs per token (token types), by name: [1, L].
        media: tensors of the media, by name.
    """

    tokens: Any
    token_inputs: dict[str, Any]
    media: dict[str, Any]

    @property
    def position_inputs(self) -> dict[str, Any]:
        """The media's grids and masks, from which positions are computed; without the media themselves."""
        return {
            name: value
            for name, value in self.media.items()
            if not hasattr(value, "ndim") or value.ndim <= 1 or (value.ndim == 2 and not value.is_floating_point())
        }


class PromptWriter:
    """Writes prompts for one model."""

    def __init__(self, model_id: str, processor: Any, senses: ModelSenses) -> None:
        """Find out how the model's template accepts a system text.

        Raises:
            InputError: the model has no usable chat template.
        """
        self._model_id = model_id
        self._processor = processor
        self._tokenizer = getattr(processor, "tokenizer", processor)
        self._senses = senses
        # Some processors have no template, although their tokenizer has one.
        template = getattr(processor, "chat_template", None)
        self._template = template or getattr(self._tokenizer, "chat_template", None)
        self._template_options: dict[str, Any] = {}
        if "enable_thinking" in str(self._template):
            self._template_options["enable_thinking"] = False
        special = {str(token) for token in self._tokenizer.all_special_tokens}
        special |= {str(t) for t in self._tokenizer.added_tokens_decoder.values() if getattr(t, "special", True)}
        media_tokens = [self._attribute(f"{name}_token") for name in ("image", "audio", "video")]
        special |= {str(token) for token in media_tokens if token}
        self._special = re.compile("|".join(re.escape(token) for token in sorted(special, key=len, reverse=True)))
        self._system_form = self._find_system_form()

    @property
    def media_ids(self) -> set[int]:
        """Ids of the placeholder tokens of media."""
        found = {self._attribute(f"{name}_token_id") for name in ("image", "audio", "video")}
        return {int(token) for token in found if token is not None}

    @property
    def end_ids(self) -> list[int]:
        """Ids of the tokens that end a reply, from the tokenizer."""
        end = self._tokenizer.eos_token_id
        if end is None:
            return []
        return [int(end)]

    def head_text(self, request: ChatRequest, blocks: list[ContentBlock]) -> str:
        """The first part of every conversation on the clip, as text."""
        content = [*blocks, _text(f"{self.break_control_tokens(request.clip_facts)}{_GAP}{_END_OF_HEAD}")]
        text = self._render(request.system, [("user", content)], open_reply=False)
        return text.split(_END_OF_HEAD)[0]

    def conversation_text(self, request: ChatRequest, blocks: list[ContentBlock]) -> str:
        """The conversation as text, up to the start of the reply."""
        turns: list[tuple[str, list[ContentBlock]]] = []
        for number, (role, text) in enumerate(request.turns):
            content = [_text(self.break_control_tokens(text))]
            if number == 0 and request.clip is not None:
                facts = _text(self.break_control_tokens(request.clip_facts) + _GAP)
                content = [*blocks, facts, *request.closer_look.blocks, *content]
            turns.append((role, content))
        return self._render(request.system, turns, open_reply=True)

    def reply_text(self, reply: str) -> str:
        """A reply with what the template writes after it: how the model is to end its own replies."""
        said = self.break_control_tokens(reply.strip())
        turns = [("user", [_text(_PROBE[1])]), ("assistant", [_text(_PROBE[2])])]
        _, _, end = self._render("", turns, open_reply=False).rpartition(_PROBE[2])
        return said + (end.rstrip() or str(self._tokenizer.eos_token or ""))

    def tokenize(self, text: str, *, begins: bool = True) -> list[int]:
        """The text's tokens, one placeholder per medium; `begins`: whether it begins a conversation."""
        encoded = self._tokenizer(text, add_special_tokens=begins and self._adds_special(text))
        return [int(token) for token in encoded["input_ids"]]

    def build_inputs(self, text: str, parts: MediaParts, *, begins: bool = True) -> ModelInputs:
        """The text and its media as inputs of the model.

        Raises:
            InputError: the processor does not accept them.
        """
        arguments: dict[str, Any] = {"text": [text], "return_tensors": "pt"}
        if not (begins and self._adds_special(text)):
            arguments["add_special_tokens"] = False
        if parts.images:
            arguments["images"] = parts.images
        video_sounds = {number: video.sound for number, video in enumerate(parts.videos) if video.sound is not None}
        if parts.sounds or video_sounds:
            arguments["audio"] = [*parts.sounds, *video_sounds.values()]
            arguments["audio_kwargs"] = {"sampling_rate": self._senses.sample_rate}
        if video_sounds:
            arguments["load_audio_from_video"] = True
            arguments["audio_from_video_indices"] = [*(None for _ in parts.sounds), *video_sounds]
        if parts.videos:
            arguments |= _video_arguments(parts.videos)
        try:
            output = dict(self._processor(**arguments))
        except (ValueError, TypeError, KeyError, IndexError, RuntimeError, ImportError) as fault:
            text = " ".join(str(fault).split())[:200]
            raise InputError(
                f"The processor of {self._model_id} does not accept this clip ({type(fault).__name__}: {text}):"
                " try other frames in the settings, or another model."
            ) from None
        tokens = output.pop("input_ids")
        output.pop("attention_mask", None)
        output.pop("video_metadata", None)
        token_inputs = {name: value for name, value in output.items() if getattr(value, "shape", None) == tokens.shape}
        media = {name: value for name, value in output.items() if name not in token_inputs and value is not None}
        if video_sounds:
            media["use_audio_in_video"] = True
        return ModelInputs(tokens, token_inputs, media)

    def decode_reply(self, tokens: Any) -> str | None:
        """A reply's tokens as text without thoughts; None if the reply ends before the end of its thoughts."""
        ids = [int(token) for token in tokens]
        parts = self._tokenizer.added_tokens_encoder
        if parts.get(_THINKING_PART) in ids:
            if parts[_TEXT_PART] not in ids:
                return None
            ids = ids[len(ids) - ids[::-1].index(parts[_TEXT_PART]) :]
        text = str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip()
        if not (self._thinks or text.startswith(_THINKS)):
            return text
        _, end, answer = text.rpartition(_THOUGHT)
        if not end:
            return None
        return answer.strip()

    def break_control_tokens(self, text: str) -> str:
        """The text with a space inside every control token: text of users and agents must not act as control."""
        return self._special.sub(lambda match: f"{match[0][:1]} {match[0][1:]}", text)

    def _adds_special(self, text: str) -> bool:
        start = self._tokenizer.bos_token
        return not (start and text.startswith(start))

    def _attribute(self, name: str) -> Any:
        return getattr(self._processor, name, None) or getattr(self._tokenizer, name, None)

    def _find_system_form(self) -> str:
        """How the template accepts a system text: `text`, `blocks`, or `none` (then it precedes the user's text)."""
        for form in ("text", "blocks", "none"):
            self._system_form = form
            try:
                text = self._render(_PROBE[0], [("user", [_text(_PROBE[1])])], open_reply=True)
            except InputError:
                continue
            if text.count(_PROBE[0]) == 1 and text.count(_PROBE[1]) == 1:
                self._thinks = text.rstrip().endswith(_THINKS)
                return form
        raise InputError(f"{self._model_id} has no usable chat template: choose a model that was tuned for chat.")

    def _render(self, system: str, turns: list[tuple[str, list[ContentBlock]]], *, open_reply: bool) -> str:
        from jinja2 import TemplateError

        messages: list[dict[str, Any]] = []
        system = self.break_control_tokens(system)
        if system and self._system_form == "text":
            messages.append({"role": "system", "content": system})
        if system and self._system_form == "blocks":
            messages.append({"role": "system", "content": [_text(system)]})
        for number, (role, content) in enumerate(turns):
            if number == 0 and system and self._system_form == "none":
                content = [_text(system + _GAP), *content]
            messages.append({"role": role, "content": _merged(content)})
        try:
            return str(
                self._processor.apply_chat_template(
                    messages,
                    chat_template=self._template,
                    tokenize=False,
                    add_generation_prompt=open_reply,
                    **self._template_options,
                )
            )
        except (TemplateError, ValueError, TypeError, KeyError) as fault:
            raise InputError(
                f"The chat template of {self._model_id} cannot be used ({type(fault).__name__})."
            ) from None


def _video_arguments(videos: list[VideoClip]) -> dict[str, Any]:
    """The arguments for a video processor; it uses all frames and does not sample them."""
    rates = [len(video.images) / video.seconds for video in videos]
    metadata = [
        {
            "total_num_frames": len(video.images),
            "fps": rate,
            "duration": video.seconds,
            "frames_indices": list(range(len(video.images))),
        }
        for video, rate in zip(videos, rates, strict=True)
    ]
    # Some processors accept one rate for all videos: a closer look has its own rate only if it is encoded separately.
    settings = {"do_sample_frames": False, "fps": rates[0], "video_metadata": metadata, "return_metadata": True}
    return {"videos": [video.images for video in videos], "videos_kwargs": settings}


def _merged(content: list[ContentBlock]) -> list[ContentBlock]:
    """The content with adjacent texts joined: some templates strip the space around each text."""
    out: list[ContentBlock] = []
    for block in content:
        if out and block["type"] == out[-1]["type"] == "text":
            out[-1] = _text(out[-1]["text"] + block["text"])
        else:
            out.append(block)
    return out


def _text(text: str) -> ContentBlock:
    return {"type": "text", "text": text}
