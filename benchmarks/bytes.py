"""What a question sends to its provider: bytes that arrive at a server on loopback, through the real client libraries.

Beside this project's way stands the released script's, replayed in the same run: the same texts in as many calls, with
the clip, and its sound as a file, sent again by every call that sees it. Bodies are counted, headers are not.
"""

import asyncio
import io
import os
import tempfile
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from google import genai
from google.genai import types

from aurelia.run.ask import answer_question
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from aurelia_offline.world.scene import parse_scene, write_scene
from benchmarks.media import SCENE
from state.context import ROLES, make_context
from tests.support import google_server as wire_google
from tests.support import openai_server as wire_openai
from tests.support.scripted import verdict

CLIP_BYTES = 10_000_000
ATTEMPTS = 5
SEEING = ("generator", "evaluator", "target")
LIMIT = 1.1
WINDOWS = [{"start": 2.0, "end": 4.0}, {"start": 20.0, "end": 22.0}]


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """These variables and no other of a provider's, for a while."""
    kept = dict(os.environ)
    for name in (*wire_openai.VARIABLES, "GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI"):
        os.environ.pop(name, None)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def question(home: Path, clip: Path, spec: str) -> dict[str, Any]:
    """One question whose attempts are never accepted, `spec` in every role, without the zero-shot answer."""
    context = make_context({**dict.fromkeys(ROLES, spec), "threshold": 10, "max_iterations": ATTEMPTS,
                            "compare": False, "unsupported_modality": "evidence"})  # fmt: skip
    desk = ModelClient(Settings(home=home, allow_any_file=True))
    try:
        asked: Any = {"video": str(clip), "question": "Which sound is the loudest?"}
        return asyncio.run(answer_question(asked, context, client=desk))
    finally:
        desk.close()


def replay(server: wire_google.Gemini, clip: Path, sound: Any, *, inline: bool) -> int:
    """Bytes that the requests which `server` has had cost another one, in the released script's way.

    Args:
        server: has had the requests.
        clip: the clip.
        sound: its sound as a WAV file's content.
        inline: whether the clip stands in the request as base64; else it is uploaded, as the sound always is.
    """
    other = wire_google.Gemini()
    other.processing = 0
    options = types.HttpOptions(base_url=other.url)
    client = genai.Client(api_key=wire_google.KEY, http_options=options, vertexai=False)
    for role, body in server.asked:
        texts = [part["text"] for part in body["contents"][0]["parts"] if "text" in part]
        parts: list[Any] = []
        if role in SEEING:
            with clip.open("rb") as file:
                mime = "video/mp4"
                parts.append(
                    types.Part.from_bytes(data=file.read(), mime_type=mime)
                    if inline
                    else client.files.upload(file=file, config={"mime_type": mime})
                )
            parts.append(client.files.upload(file=io.BytesIO(sound), config={"mime_type": "audio/wav"}))
        client.models.generate_content(model=wire_google.MODEL, contents=[*parts, *texts])
    other.close()
    if other.refused or len(other.asked) != len(server.asked):
        raise RuntimeError(f"the replay failed: {other.refused}")
    return other.received


def wav(store: ClipStore, clip: Path) -> Any:
    """The clip's sound as a WAV file: 16 kHz, mono, 16 bits."""
    packed = io.BytesIO()
    with wave.open(packed, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        for part in store.audio(store.admit(clip), [], 16_000):
            file.writeframes((np.clip(part.samples, -1.0, 1.0) * 32767).astype("<i2").tobytes())
    return packed.getvalue()


def google(folder: Path, clip: Path) -> None:
    """Gemini: this project, and the released script's way."""
    server = wire_google.Gemini()
    server.processing = 0
    with environment(GOOGLE_API_KEY=wire_google.KEY, AURELIA_GOOGLE_URL=server.url):
        result = question(folder / "google", clip, f"google_genai:{wire_google.MODEL}")
        server.close()
        if server.refused or len(result["iterations"]) != ATTEMPTS:
            raise RuntimeError(f"the question failed: {server.refused or result['warnings']}")
        sound = wav(ClipStore(Settings(home=folder / "google", allow_any_file=True)), clip)
        again = replay(server, clip, sound, inline=False)
        inline = replay(server, clip, sound, inline=True)
    size, ours = clip.stat().st_size, server.received
    seeing = sum(role in SEEING for role, _ in server.asked)
    print(f"bytes: a clip of {size / 1e6:.1f} MB, T = {ATTEMPTS}, {len(server.asked)} calls, {seeing} with the clip")
    _line("Gemini, this project", ours, size, f"limit {LIMIT}")
    for way, cost in (("clip uploaded again", again), ("clip as base64", inline)):
        more = f"{cost / ours:.1f} times this project; its sound, {len(sound) / 1e6:.2f} MB, uploaded again"
        _line(f"Gemini, script's way, {way}", cost, size, more)


def _line(name: str, sent: int, size: int, more: str) -> None:
    print(f"  {name:<44}{sent / 1e6:8.2f} MB {sent / size:8.3f} times the clip ({more})")


def openai(folder: Path, clip: Path) -> None:
    """OpenAI, which takes frames: for information, since it keeps nothing between calls."""
    feedback = [{"feedback": f"Look again, {number}.", "windows": WINDOWS} for number in range(ATTEMPTS)]
    server = wire_openai.WireOpenAI(evaluator=[verdict(3)], feedback=feedback)
    with environment(OPENAI_API_KEY=wire_openai.KEY, OPENAI_BASE_URL=server.url):
        result = question(folder / "openai", clip, "openai:gpt-4o")
    server.close()
    if server.refused or len(result["iterations"]) != ATTEMPTS:
        raise RuntimeError(f"the question failed: {server.refused or result['warnings']}")
    size, ours = clip.stat().st_size, server.received
    frames = sum(len(sent.of("image_url")) for sent in server.sent)
    more = f"{frames} frames, at most 512 lines high, of rendered pictures, which pack well"
    _line("OpenAI, this project, for information", ours, size, more)


def main() -> None:
    """Prints one table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "clip.mp4"
        write_scene(parse_scene(SCENE), clip)
        padding = CLIP_BYTES - clip.stat().st_size
        with clip.open("ab") as file:
            file.write(padding.to_bytes(4, "big") + b"free" + os.urandom(padding - 8))
        google(folder, clip)
        openai(folder, clip)


if __name__ == "__main__":
    main()
