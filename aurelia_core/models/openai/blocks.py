"""The content parts of OpenAI's chat completions: text, frames, sound, video. It decodes nothing and sends nothing."""

import base64
import mimetypes
from pathlib import Path
from typing import Any, Literal

from aurelia_core.models.media_encoding import EncodedAudio, EncodedFrame
from aurelia_core.models.request_texts import RequestTexts
from aurelia_core.types import MediaRef

WirePart = dict[str, Any]
SoundForm = Literal["none", "input_audio", "audio_url"]


def text_part(text: str) -> WirePart:
    """Text."""
    return {"type": "text", "text": text}


def frame_parts(taken: list[EncodedFrame], texts: RequestTexts) -> list[WirePart]:
    """Each frame after its time."""
    parts = []
    for picture in taken:
        parts.append(text_part(texts.frame_time(picture.time)))
        parts.append({"type": "image_url", "image_url": {"url": _data_url("image/jpeg", picture.jpeg)}})
    return parts


def audio_part(wave: EncodedAudio, kind: SoundForm) -> WirePart:
    """Sound as WAV, in the part that the server takes."""
    if kind == "audio_url":
        return {"type": "audio_url", "audio_url": {"url": _data_url("audio/wav", wave.wav)}}
    return {"type": "input_audio", "input_audio": {"data": base64.b64encode(wave.wav).decode(), "format": "wav"}}


def video_part(file: Path, clip: MediaRef) -> WirePart:
    """The clip's own file."""
    # Containers whose type this Python does not know by their ending (mkv before 3.13) go as mp4; servers look inside.
    kind = mimetypes.guess_type(clip["name"])[0] or "video/mp4"
    return {"type": "video_url", "video_url": {"url": _data_url(kind, file.read_bytes())}}


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def part_payload(part: WirePart) -> str:
    """What of a part weighs: its text, its address or its data."""
    body = part[part["type"]]
    return body if isinstance(body, str) else str(body.get("url") or body.get("data") or "")
