"""Measures a clip at the highest rate, for a text that replaces sound or picture that a model does not accept.

The result depends on the clip alone; `prompts/render.py` writes the text. The measuring packages are imported at the
first measurement: a model that sees and hears needs none.
"""

from collections.abc import Sequence

from aurelia_core.media import ClipStore
from aurelia_core.models.request_texts import RequestTexts
from aurelia_core.types import MediaRef, Window
from aurelia_core.witnesses.evidence import hear_sound, hearing_witnesses

# A thousand seconds at the full rate; longer sound is measured at a lower rate, as the text's heading says.
_MAX_SAMPLES = 16_000_000
_MIN_FRAMES = 2


def measured_sound_text(store: ClipStore, source: MediaRef, texts: RequestTexts) -> str:
    """Measurements of the sound of a clip or a separate track, over its whole length, and what witnesses hear in it.

    Raises:
        MediaError: the sound cannot be decoded.
    """
    from aurelia_core.signals.look import MAX_SAMPLE_RATE, observe_clip

    seconds = source["audio_seconds"] or source["duration"]
    samples = min(_MAX_SAMPLES, int(seconds * MAX_SAMPLE_RATE) + MAX_SAMPLE_RATE)
    seen = observe_clip(store, source, None, [], _MIN_FRAMES, samples)
    return texts.measured_sound(seen, hear_sound(store, source))


def evidence_params() -> dict[str, list[str]]:
    """What a reply on measured sound depends on besides the request: the witnesses of this machine, if any."""
    able = hearing_witnesses()
    if not able:
        return {}
    return {"heard_by": able}


def measured_picture_text(
    store: ClipStore, clip: MediaRef, windows: Sequence[Window], frames: int, texts: RequestTexts
) -> str:
    """Movements, colours, cuts and flashes in the windows ([]: the whole clip), from at most `frames` frames.

    Raises:
        MediaError: the picture cannot be decoded.
    """
    from aurelia_core.signals.look import observe_clip

    return texts.measured_picture(observe_clip(store, clip, None, windows, frames, 1), frames)


def measured_still_text(store: ClipStore, picture: MediaRef, texts: RequestTexts) -> str:
    """The colours of a still picture.

    Raises:
        MediaError: the picture cannot be decoded.
    """
    from aurelia_core.signals.look import observe_clip

    return texts.measured_still(observe_clip(store, picture, None, [], 1, 1))
