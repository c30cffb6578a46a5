"""What the tests of local weights share: one loaded model with what it is told, and clips that differ in one thing."""

import copy
from pathlib import Path
from typing import Any, NamedTuple

import torch

from aurelia_core.media import ClipStore
from aurelia_core.models.local import loading as local_load
from aurelia_core.models.local.content import ChatRequest, RequestConverter
from aurelia_core.models.local.engine import EncodedPrompt, InferenceEngine
from aurelia_core.models.local.loading import choose_placement
from aurelia_core.models.local.weights import find_weights
from aurelia_core.types import MediaRef
from aurelia_offline.world.scene import Scene, write_scene
from tests.support.requests import compose_messages

FRAMES = 4


class Local(NamedTuple):
    """A loaded model, and a store of clips."""

    engine: InferenceEngine
    converter: RequestConverter
    store: ClipStore
    words: Any

    def parse(self, clip: MediaRef, text: str, tracks: list[MediaRef] | None = None, **more: Any) -> ChatRequest:
        """A request on the clip."""
        fields = {"clip": clip, "tracks": tracks or [], "frames": FRAMES, **more}
        return self.converter.parse(compose_messages(text, fields, sees_clip=True))

    def encoded(self, told: ChatRequest, *, reuse: bool) -> EncodedPrompt:
        """The request as the model takes it, with kept encodings or whole."""
        self.engine.reuses_prefixes = reuse
        try:
            return self.engine.encode(told, self.converter)
        finally:
            self.engine.reuses_prefixes = True

    def logits(self, told: ChatRequest, *, reuse: bool = True, tokens: int = 8) -> torch.Tensor:
        """What the model thinks of every next token, for so many tokens: float[tokens, vocabulary]."""
        made = self.engine.generate(self.encoded(told, reuse=reuse), tokens, output_logits=True)
        return torch.cat(made["logits"])

    def whole(self, told: ChatRequest, tokens: int = 8) -> str:
        """The reply to the request encoded whole, as text."""
        encoded = self.encoded(told, reuse=False)
        made = self.engine.generate(encoded, tokens)
        return str(self.words.decode(made["sequences"][0, encoded.length :], skip_special_tokens=True)).strip()

    def said(self, told: ChatRequest, tokens: int = 8) -> Any:
        """The reply."""
        return self.engine.answer(told, self.converter, tokens)


def local(folder: Path, store: ClipStore) -> Local:
    """The model in the folder, loaded anew, on the processor in full precision."""
    local_load.unload_all()
    weights = find_weights(str(folder))
    reader = local_load.load_processor_with_writer(weights)
    converter = RequestConverter(store, weights.model_id, reader.senses)
    return Local(local_load.load_engine(weights, choose_placement()), converter, store, reader.processor.tokenizer)


def clip(store: ClipStore, path: Path, scene: dict[str, Any]) -> MediaRef:
    """The scene as a clip of the store."""
    write_scene(Scene.model_validate(scene), path)
    return store.admit(path)


def changed(scene: dict[str, Any], where: str, number: int, **values: Any) -> dict[str, Any]:
    """The scene with one of its shapes or sounds changed."""
    other = copy.deepcopy(scene)
    other[where][number].update(values)
    return other
