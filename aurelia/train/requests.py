"""The request of an example as the target will get it after the training: the same prompt, media and texts."""

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.messages import AnyMessage

from aurelia.train.examples import TrainingExample
from aurelia_core.errors import InputError, MediaError
from aurelia_core.media import ClipStore
from aurelia_core.models.messages import compose_messages
from aurelia_core.models.requests import TargetRequest
from nodes.prepare import admit_media, check_question
from nodes.requests import clip_request_fields, decoding_settings
from nodes.target import select_injected
from prompts.render import PROMPT_TEXTS, render_target_prompt
from state.context import Context
from state.schema import ClipState
from targets import find_target


class ExampleRequests:
    """Writes the requests of examples for one base model."""

    def __init__(self, base: str, store: ClipStore, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Read nothing yet.

        Args:
            base: the base model, `transformers:BASE`.
            store: the clip store with the runs' clips.
            settings: settings of each run by its file name; a clip is shown as they say.
        """
        self._base = base
        self._row = find_target(base)
        self.store = store
        self._contexts = {
            run: Context(target=base, **{name: known[name] for name in ("frames", "samples") if name in known})
            for run, known in settings.items()
        }

    def check_media(self, examples: Iterable[TrainingExample]) -> None:
        """Read the media of every clip once, before hours of training end at one that is missing.

        Raises:
            MediaError: a clip cannot be used.
            InputError: a clip's content is not that of the run.
        """
        for example in {(one.clip, one.run, one.record.clip_name): one for one in examples}.values():
            try:
                self.messages(example)
            except MediaError as fault:
                raise MediaError(f"{fault}. Name the folder of the clips of {example.run} with --media.") from None

    def messages(self, example: TrainingExample) -> list[AnyMessage]:
        """The messages of an example, with its clip.

        Raises:
            MediaError: the clip cannot be used.
            InputError: the clip's content is not that of the run.
        """
        record, context = example.record, self._contexts[example.run]
        media = admit_media(self.store, record.video, record.images, record.audio)
        if media.clip["id"] != example.clip:
            raise InputError(
                f"{record.clip_name} is not the clip that {example.run} asked about: put the earlier file back."
            )
        asked: Any = {
            "video": record.video,
            "audio": record.audio,
            "images": record.images,
            "question": record.full_question(),
            "choices": record.choices,
        }
        checked = check_question(asked)
        state: ClipState = {
            "run": "training",
            "question": checked.question,
            "choices": checked.choices,
            "clip": media.clip,
            "pictures": media.pictures,
            "tracks": media.tracks,
        }
        given = None
        if example.form == "use":
            given = select_injected(example.reasoning, "steps")
        fields = TargetRequest(
            **clip_request_fields(state, context),
            question=checked.question,
            choices=checked.choices,
            reasoning=given,
            samples=context.samples,
            decoding=decoding_settings(context, "target", self._base) or None,
        )
        text = render_target_prompt(self._row, checked.question, checked.choices, given)
        return compose_messages(text, fields, PROMPT_TEXTS)
