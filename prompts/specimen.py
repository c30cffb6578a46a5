"""Every text of `prompts/render.py`, written for made-up values: their hashes are part of a run's fingerprint.

A hash of the source would refuse to resume a run after a changed comment; this one changes only with the words.
"""

from types import SimpleNamespace
from typing import Any

from aurelia_core.types import MediaRef, Reasoning, Window
from aurelia_core.witnesses.evidence import SoundEvidence
from prompts.render import (
    PROMPT_TEXTS,
    choices_text,
    guidance_text,
    injected_text,
    reasoning_text,
    render_describer_prompt,
    render_target_prompt,
)

_CLIP: MediaRef = {
    "id": "0",
    "name": "clip",
    "bytes": 1,
    "duration": 4.0,
    "width": 320,
    "height": 240,
    "fps": 25.0,
    "has_audio": True,
    "audio_channels": 1,
    "audio_seconds": 4.0,
}
_SILENT: MediaRef = {**_CLIP, "has_audio": False, "width": None}
_SOUND: MediaRef = {**_CLIP, "width": None, "height": None, "fps": None}
_STILL: MediaRef = {**_CLIP, "duration": 0.0, "fps": None, "has_audio": False, "audio_seconds": None}
_WINDOW: Window = {"start": 1.0, "end": 2.0}
_REASONING: Reasoning = {
    "steps": [{"step": "Find it.", "justification": "a cue", "answer": "here", "modality": "both"}],
    "answer": "left",
}
_STEPS_ONLY: Reasoning = {
    "steps": [{"step": "Find it.", "justification": "", "answer": "", "modality": "both"}],
    "answer": "",
}
_ROW: Any = SimpleNamespace(reasoning="{{reasoning}}\n", short="Briefly.", choice="One of them.", working="silent")
_ALOUD: Any = SimpleNamespace(**{**vars(_ROW), "working": "aloud"})


def sample_texts() -> list[str]:
    """The texts, in a fixed order; every branch of every public text maker once."""
    return [*video_texts(), *other_media_texts()]


def video_texts() -> list[str]:
    """The texts of a question about a video."""
    return [*_agent_texts(), *_media_texts(), *_measured_texts()]


def other_media_texts() -> list[str]:
    """The texts that only a question about sounds or still pictures needs."""
    every: list[tuple[MediaRef, list[MediaRef], list[MediaRef]]] = [
        (_SOUND, [], []),
        (_SOUND, [_SOUND, _SOUND], []),
        (_SOUND, [], [_STILL]),
        (_STILL, [], []),
        (_STILL, [_SOUND], [_STILL, _STILL]),
        (_CLIP, [], [_STILL]),
    ]
    texts = [PROMPT_TEXTS.clip_facts(*media) for media in every]
    for count in (1, 2):
        texts += [
            PROMPT_TEXTS.picture_name(0, count),
            PROMPT_TEXTS.sound_name(0, count, beside_video=False),
            PROMPT_TEXTS.track_heading(0, count, beside_video=False),
            PROMPT_TEXTS.sound_cut(0, count, _WINDOW, beside_video=False),
        ]
    colour = SimpleNamespace(name="blue", share=0.5, background=True)
    still: Any = SimpleNamespace(colours=[colour], cuts=[], flashes=[])
    return [*texts, PROMPT_TEXTS.measured_still(still)]


def _agent_texts() -> list[str]:
    return [
        choices_text(["left", "right"]),
        reasoning_text(_REASONING),
        injected_text(_REASONING),
        injected_text(_STEPS_ONLY),
        *_guidance_texts(),
        render_target_prompt(_ROW, "Where?", ["left", "right"], _REASONING),
        render_target_prompt(_ROW, "Where?", [], None),
        render_target_prompt(_ALOUD, "Where?", [], _REASONING),
        render_describer_prompt("sound"),
        render_describer_prompt("picture"),
    ]


def _guidance_texts() -> list[str]:
    from state.schema import new_attempt

    none = new_attempt(1)
    unscored = {**none, "reasoning": _REASONING}
    scored = {**unscored, "score": 4}
    guided = {**scored, "iteration": 2, "feedback": "Listen.", "windows": [_WINDOW]}
    pairs: list[tuple[Any, Any]] = [
        (guided, scored),
        (guided, guided),
        (guided, unscored),
        (guided, none),
        (None, None),
    ]
    return [guidance_text(last, before) for last, before in pairs]


def _media_texts() -> list[str]:
    texts = [PROMPT_TEXTS.clip_facts(_CLIP, [_CLIP] * count) for count in range(3)]
    texts += [PROMPT_TEXTS.clip_facts(_SILENT, [])]
    texts += [
        PROMPT_TEXTS.system,
        PROMPT_TEXTS.correction("a fault"),
        PROMPT_TEXTS.frames_heading(16),
        PROMPT_TEXTS.frame_time(1.0),
    ]
    texts += [PROMPT_TEXTS.video_heading(with_sound=True), PROMPT_TEXTS.video_heading(with_sound=False)]
    texts += [
        PROMPT_TEXTS.closer_look(_WINDOW),
        PROMPT_TEXTS.file_look(_WINDOW),
        PROMPT_TEXTS.look_again(_WINDOW),
        PROMPT_TEXTS.sound_heading("A sound", 1.0, 2.0),
    ]
    texts += [PROMPT_TEXTS.replacement(PROMPT_TEXTS.sense_name("sound"), "text"), PROMPT_TEXTS.sense_name("picture")]
    texts += [PROMPT_TEXTS.sound_name(None, 0), PROMPT_TEXTS.sound_name(0, 1), PROMPT_TEXTS.sound_name(1, 2)]
    texts += [PROMPT_TEXTS.track_heading(0, 1), PROMPT_TEXTS.track_heading(1, 2)]
    texts += [
        PROMPT_TEXTS.sound_cut(None, 0, _WINDOW),
        PROMPT_TEXTS.sound_cut(0, 1, _WINDOW),
        PROMPT_TEXTS.sound_cut(1, 2, _WINDOW),
    ]
    return [*texts, PROMPT_TEXTS.sound_cut_ended("A sound"), PROMPT_TEXTS.sound_cut_long("A sound")]


def _measured_texts() -> list[str]:
    sound = SimpleNamespace(start=1.0, end=2.0, sound_class="tone", pitch=440.0, level=-20.0)
    noise = SimpleNamespace(start=2.0, end=3.0, sound_class="noise", pitch=None, level=-20.0)
    motion = SimpleNamespace(start=1.0, end=2.0, x=0.2, y=0.5, extent=0.1, colour="red")
    mixed = SimpleNamespace(start=1.0, end=2.0, x=0.8, y=0.5, extent=0.1, colour=None)
    colour = SimpleNamespace(name="blue", share=0.5, background=True)
    full: Any = SimpleNamespace(
        audio_spans=[(0.0, 4.0)],
        sample_rate=16000,
        frame_gap=0.1,
        sounds=[sound, noise] * 80,
        silences=[(0.0, 1.0)],
        tempo=SimpleNamespace(bpm=120.0, strength=0.9),
        motions=[motion, mixed],
        colours=[colour],
        cuts=[1.0],
        flashes=[2.0],
    )
    empty: Any = SimpleNamespace(
        audio_spans=[(0.0, 4.0)],
        sample_rate=16000,
        frame_gap=0.1,
        sounds=[],
        silences=[],
        tempo=None,
        motions=[],
        colours=[],
        cuts=[],
        flashes=[],
    )
    unheard: Any = SimpleNamespace(audio_spans=[])
    said: Any = SimpleNamespace(start=1.0, end=2.0, text="good morning")
    heard = SoundEvidence(((1.0, 2.0),), (said,), (("Bark", ((0.0, 1.0), (3.0, 4.0))),))
    sounds = [PROMPT_TEXTS.measured_sound(one) for one in (full, empty, unheard)]
    sounds += [PROMPT_TEXTS.measured_sound(empty, one) for one in (heard, SoundEvidence((), (), None))]
    return [*sounds, PROMPT_TEXTS.measured_picture(full, 16), PROMPT_TEXTS.measured_picture(empty, 16)]
