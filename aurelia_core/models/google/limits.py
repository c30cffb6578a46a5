"""What Gemini cannot be given, said before anything is uploaded or paid for. It opens files, and sends nothing.

No container or sound format is refused: what Gemini does not read goes as frames and WAV.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from aurelia_core.errors import InputError
from aurelia_core.models.capabilities import Capability, find_capability
from aurelia_core.types import MediaRef

MAX_FILE_BYTES = 2_000_000_000
"""The largest file that Google's file store takes."""

# Google counts 258 tokens for a frame at the usual resolution (newer models fewer), and 32 for a second of sound.
_FRAME_TOKENS = 258
_SOUND_TOKENS = 32


def gemini_capability(model: str) -> Capability:
    """What the model can carry.

    Raises:
        InputError: it is no model for questions about clips; the message says which is.
    """
    return find_capability(f"google_genai:{model.removeprefix('models/')}")


def check_modalities(spec: str, profile: Mapping[str, Any] | None, media: Sequence[MediaRef]) -> None:
    """Refuses a clip of which the model cannot take a part at all.

    Raises:
        InputError: the model takes no video, or no sound.
    """
    seen = any(ref["width"] is not None for ref in media)
    needed = [*(["audio"] if any(ref["has_audio"] or ref["width"] is None for ref in media) else [])]
    for sense in [*needed, *(["video"] if seen else [])]:
        if profile and profile.get(f"{sense}_inputs") is False:
            remedy = "Use a Gemini model that can for the roles that are shown the clip."
            raise InputError(f"{spec} cannot take {sense}. {remedy}")


def check_size(spec: str, row: Capability, whole: Sequence[MediaRef], sounds: Sequence[MediaRef], frames: int) -> None:
    """Refuses what is too large or too long.

    Args:
        spec: the model, for messages.
        row: what it can carry.
        whole: what goes to Google as a file.
        sounds: what is heard.
        frames: pictures that the clip comes to.

    Raises:
        InputError: a file is larger than Google's store takes, or the clip is longer than the model can take.
    """
    for ref in whole:
        if ref["bytes"] > MAX_FILE_BYTES:
            raise InputError(
                f"{spec} takes files of {MAX_FILE_BYTES / 1e9:.0f} GB, and {ref['name']!r} has"
                f" {ref['bytes'] / 1e9:.2f} GB: give a shorter clip, or one in a smaller format."
            )
    seconds = sum(ref["audio_seconds"] or ref["duration"] for ref in sounds)
    if row.audio_seconds is not None and seconds > row.audio_seconds:
        raise InputError(
            f"{spec} takes {row.audio_seconds:.0f} s of sound in one request, and this is {seconds:.0f} s: give a"
            " shorter clip, or fewer sound tracks."
        )
    tokens = frames * _FRAME_TOKENS + int(seconds * _SOUND_TOKENS)
    if row.context is not None and tokens > row.context:
        raise InputError(
            f"{spec} reads {row.context} tokens at once, and this clip comes to about {tokens}: give a shorter one."
        )


def check_request_size(spec: str, row: Capability, blocks: Sequence[Any]) -> None:
    """Refuses a message whose media, as they travel inside the request, weigh too much.

    Raises:
        InputError: it weighs more than the provider takes.
    """
    data = [block["data"] for block in blocks if isinstance(block, dict) and isinstance(block.get("data"), bytes)]
    megabytes = sum(len(part) for part in data) * 4 / 3 / 1e6
    if row.request_mb is not None and megabytes > row.request_mb:
        raise InputError(
            f"{spec} takes requests of {row.request_mb:.0f} MB, and this clip makes one of {megabytes:.0f} MB: give it"
            " fewer sound tracks, fewer frames or a shorter clip."
        )
