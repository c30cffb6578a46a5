"""Every text that a model reads and that no Markdown file holds: choices, reasoning, guidance, injection, clip texts.

The hash of this file is part of a benchmark run's fingerprint, as those of the Markdown files are
(`prompts.prompt_hashes`): a run never mixes two wordings.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import prompts
from aurelia_core.answers.options import CHOICE_LETTERS
from aurelia_core.models.request_texts import RequestTexts
from aurelia_core.sanitize import clean_text, quote_lines
from aurelia_core.types import MediaRef, Reasoning, Sense, Window, is_still, is_video

if TYPE_CHECKING:
    from aurelia_core.signals.observation import DetectedSound, Motion, Observation
    from aurelia_core.types import Span
    from aurelia_core.witnesses.evidence import SoundEvidence
    from state.schema import Attempt
    from targets import Target

_TRACK_LETTERS = "ABCDEFGH"
_MAX_MEASURED_LINES = 120
_SENSE_VERBS: dict[Sense, tuple[str, str]] = {"sound": ("hear", "heard"), "picture": ("see", "seen")}


def choices_text(choices: Sequence[str]) -> str:
    """The choices with letters, one line each; empty without choices."""
    lettered = zip(CHOICE_LETTERS, choices, strict=False)
    return "".join(f"{letter}. {' '.join(choice.split())}\n" for letter, choice in lettered)


def reasoning_text(reasoning: Reasoning) -> str:
    """A reasoning in full, as summarizer and feedback read it."""
    steps = [
        f"{number}. {step['step']} [{step['modality']}]\n   cue: {step['justification']}\n   finding: {step['answer']}"
        for number, step in enumerate(reasoning["steps"], 1)
    ]
    return "\n".join([*steps, f"Final answer: {reasoning['answer']}"])


def guidance_text(last: "Attempt | None", before: "Attempt | None") -> str:
    """What the generator reads about the attempt `before` it (the last, or the best), and what it is asked to do.

    Empty before the first attempt, and when there is nothing to say.
    """
    if last is None or before is None or (before["reasoning"] is None and not last["feedback"]):
        return ""
    lines = [f"This is attempt {last['iteration'] + 1}. {_result_of(last, before)}"]
    if before["reasoning"]:
        lines.append(quote_lines(reasoning_text(before["reasoning"])))
    if last["feedback"]:
        lines.append(f"Guidance for this attempt:\n{quote_lines(last['feedback'])}")
        windows = ", ".join(f"{window['start']:.2f}-{window['end']:.2f} s" for window in last["windows"])
        lines.append(f"Look and listen again, closely, at {windows}." if windows else "")
    return "\n".join([*lines, "Make a new attempt, grounded in what the clip shows and lets you hear."])


def _result_of(last: "Attempt", before: "Attempt") -> str:
    which = "The last one"
    if before is not last:
        which = f"Attempt {before['iteration']}, the best so far,"
    if before["reasoning"] is None:
        return f"{which} had no reasoning."
    if before["score"] is None:
        return f"{which} could not be scored:"
    return f"{which} scored {before['score']} of 10:"


def injected_text(reasoning: Reasoning) -> str:
    """The injected reasoning, one line a step; empty fields leave no trace."""
    lines = []
    for number, step in enumerate(reasoning["steps"], 1):
        finding = " ".join(filter(None, (step["answer"], step["justification"] and f"({step['justification']})")))
        lines.append(f"{number}. {step['step']}" + (f" Finding: {finding}" if finding else ""))
    if reasoning["answer"]:
        lines.append(f"Suggested answer: {reasoning['answer']}")
    # A line of its own could pass for another step, or for the question.
    return "\n".join(" ".join(line.split()) for line in lines)


def render_target_prompt(
    row: "Target", question: str, choices: Sequence[str], given: Reasoning | None, edited: str = ""
) -> str:
    """The target's prompt: the injected reasoning in the words of its row, the question, the form of the answer.

    Args:
        row: how the target is asked.
        question: the question.
        choices: the answers to choose from.
        given: the injected reasoning; None: zero-shot.
        edited: a text to use in place of `prompts/target.md`.
    """
    before = ""
    form = row.choice if choices else row.short
    if given and row.working == "aloud":
        form = f"Write your working first. Then, on a last line of its own, the answer alone: {form}"
    if given:
        before = row.reasoning.lstrip().replace("{{reasoning}}", injected_text(given))
    return prompts.fill_prompt(
        "target",
        edited,
        reasoning=before,
        question=question,
        choices=choices_text(choices),
        form=form,
    )


def render_describer_prompt(sense: Sense, edited: str = "") -> str:
    """The describer's prompt for one sense, from `prompts/describe.md` or an edited text."""
    verb, sensed = _SENSE_VERBS[sense]
    return prompts.fill_prompt("describe", edited, verb=verb, sensed=sensed)


class PromptTexts(RequestTexts):
    """The words that adapters write around a clip."""

    def __init__(self, edited_system: str = "") -> None:
        """Reads nothing yet.

        Args:
            edited_system: a text to use in place of `prompts/system.md`; empty: the file's.
        """
        self._edited_system = edited_system

    @property
    def system(self) -> str:
        """The system text of all roles."""
        return self._edited_system or prompts.load_prompt("system")

    def correction(self, fault: str) -> str:
        """Asks again after a reply that cannot be used."""
        return prompts.fill_prompt("again", fault=fault)

    def clip_facts(self, clip: MediaRef, tracks: Sequence[MediaRef], pictures: Sequence[MediaRef] = ()) -> str:
        """Length, size and whether the clip can be heard; for other media what there is of each kind."""
        if pictures or is_still(clip) or (clip["width"] is None and clip["has_audio"]):
            return _media_facts(clip, tracks, pictures)
        size = "no picture"
        if clip["width"]:
            size = f"{clip['width']}x{clip['height']}, {clip['fps']:.4g} frames a second"
        return f"About the clip: {clip['duration']:.2f} s, {size}. {_sound_facts(clip, tracks)}"

    def frames_heading(self, count: int) -> str:
        """Before `count` frames."""
        return f"The clip's picture as {count} frames, each after its time:"

    def frame_time(self, seconds: float) -> str:
        """Before one frame."""
        return f"at {seconds:.2f} s"

    def video_heading(self, *, with_sound: bool) -> str:
        """Before a video."""
        return "The clip with its sound:" if with_sound else "The clip:"

    def closer_look(self, window: Window) -> str:
        """Before a closer look."""
        return f"A closer look at {window['start']:.2f}-{window['end']:.2f} s of the clip:"

    def picture_name(self, number: int, count: int) -> str:
        """The one image, or an image by its number."""
        return "The image" if count == 1 else f"Image {number + 1}"

    def sound_name(self, number: int | None, count: int, *, beside_video: bool = True) -> str:
        """The clip's own sound, the one separate track, or a candidate by its letter."""
        if number is None:
            return "The clip's sound"
        if not beside_video:
            return "The sound" if count == 1 else f"Sound {_TRACK_LETTERS[number]}"
        return "The sound track" if count == 1 else f"Candidate sound track {_TRACK_LETTERS[number]}"

    def sound_heading(self, name: str, start: float, end: float) -> str:
        """Before a piece of sound."""
        return f"{name}, {start:.2f}-{end:.2f} s:"

    def replacement(self, name: str, text: str) -> str:
        """In place of a sense that the model cannot take."""
        return f"{name} cannot be given to you; this stands in its place. {text}"

    def sense_name(self, sense: Sense) -> str:
        """The name of a sense in `replacement`."""
        return f"The {sense}"

    def track_heading(self, number: int, count: int, *, beside_video: bool = True) -> str:
        """Before a whole separate track that travels as a file."""
        if not beside_video:
            return f"{self.sound_name(number, count, beside_video=False)}:"
        return "The sound track:" if count == 1 else f"Sound track {_TRACK_LETTERS[number]}:"

    def file_look(self, window: Window) -> str:
        """Before a closer look at a part of a file."""
        return f"A closer look at the clip {_stretch(window)}:"

    def look_again(self, window: Window) -> str:
        """In place of a closer look at a video that is sent once."""
        return f"Look and listen again, closely, {_stretch(window)}, in the clip above."

    def sound_cut(self, number: int | None, count: int, window: Window, *, beside_video: bool = True) -> str:
        """The title of a cut of a sound."""
        if number is None:
            return f"The clip's sound {_stretch(window)}"
        if not beside_video:
            return f"{self.sound_name(number, count, beside_video=False)} {_stretch(window)}"
        return (
            f"Sound track {_stretch(window)}"
            if count == 1
            else f"Sound track {_TRACK_LETTERS[number]} {_stretch(window)}"
        )

    def sound_cut_ended(self, title: str) -> str:
        """In place of a cut that begins after the sound has ended."""
        return f"{title}: it has ended before."

    def sound_cut_long(self, title: str) -> str:
        """In place of a cut that is too long to be sent again."""
        return f"{title}: listen to it again, above."

    def measured_sound(self, observation: "Observation", heard: "SoundEvidence | None" = None) -> str:
        """A line for each sound event, by its name where witnesses told it; then voices, silences and beat."""
        if not observation.audio_spans:
            return "The sound is too long to be measured."
        lines = [f"Measured in the sound, listened to at {observation.sample_rate} samples a second:"]
        if heard is None or heard.events is None:
            lines += _listed([_sound_line(sound) for sound in observation.sounds], "no separate sound")
        if heard is not None:
            lines += _heard_lines(heard)
        if observation.silences:
            silences = ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in observation.silences)
            lines.append(f"Silence: {silences}")
        if observation.tempo:
            tempo = observation.tempo
            lines.append(f"Steady beat: {tempo.bpm:.0f} a minute (strength {tempo.strength:.2f} of 1)")
        return "\n".join(lines)

    def measured_picture(self, observation: "Observation", frames: int) -> str:
        """A line for each movement, then colours, cuts and flashes."""
        gap = observation.frame_gap
        lines = [f"Measured in the picture, from {frames} frames at most (times to within {gap:.2f} s):"]
        lines += _listed([_motion_line(motion) for motion in observation.motions], "no movement")
        return "\n".join([*lines, *_scenery(observation)])

    def measured_still(self, observation: "Observation") -> str:
        """The colours of a still picture."""
        return "\n".join(["Measured in the image, which does not move:", *_scenery(observation)])


PROMPT_TEXTS = PromptTexts()


def _heard_lines(heard: "SoundEvidence") -> list[str]:
    """What witnesses hear: sounds by name, where somebody speaks, and the words."""
    lines = [f"{name}: {_span_list(spans)}" for name, spans in heard.events or ()]
    lines.append(f"A voice detector hears somebody speak: {_span_list(heard.speech) or 'nowhere'}")
    return [*lines, *(f'Words at {one.start:.2f}-{one.end:.2f} s: "{clean_text(one.text)}"' for one in heard.said)]


def _span_list(spans: Sequence["Span"]) -> str:
    return ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in spans)


def _media_facts(clip: MediaRef, tracks: Sequence[MediaRef], pictures: Sequence[MediaRef]) -> str:
    """What there is, where the clip is not simply a video: kinds and numbers, then each medium by its name."""
    stills = [ref for ref in (clip, *pictures) if is_still(ref)]
    sounds = list(tracks)
    if clip["width"] is None and not sounds:
        sounds = [clip]
    if is_video(clip):
        video = PROMPT_TEXTS.clip_facts(clip, tracks)
        return f"{video} With it: {_counted(stills, 'image')} ({_listed_images(stills)})."
    if not stills and len(sounds) == 1:
        return f"The clip is a sound of {sounds[0]['duration']:.2f} s without a picture."
    counted = " and ".join(filter(None, (_counted(stills, "image"), _counted(sounds, "sound"))))
    lack = "no picture"
    if stills:
        lack = "no video"
        if not sounds:
            lack = "no video and no sound"
    named = "; ".join(filter(None, (_listed_images(stills), _listed_sounds(sounds))))
    return f"There is {lack}: the clip is {counted} ({named})."


def _counted(refs: Sequence[MediaRef], noun: str) -> str:
    if not refs:
        return ""
    return f"{len(refs)} {noun}{'s' * (len(refs) != 1)}"


def _listed_images(stills: Sequence[MediaRef]) -> str:
    names = [PROMPT_TEXTS.picture_name(number, len(stills)) for number in range(len(stills))]
    return ", ".join(f"{name}: {ref['width']}x{ref['height']}" for name, ref in zip(names, stills, strict=True))


def _listed_sounds(sounds: Sequence[MediaRef]) -> str:
    names = [PROMPT_TEXTS.sound_name(number, len(sounds), beside_video=False) for number in range(len(sounds))]
    return ", ".join(f"{name}: {ref['duration']:.2f} s" for name, ref in zip(names, sounds, strict=True))


def _sound_facts(clip: MediaRef, tracks: Sequence[MediaRef]) -> str:
    if len(tracks) > 1:
        lettered = zip(_TRACK_LETTERS, tracks, strict=False)
        lengths = ", ".join(f"{letter} ({track['duration']:.2f} s)" for letter, track in lettered)
        return f"Beside it stand {len(tracks)} candidate sound tracks: {lengths}."
    if tracks:
        return f"Its sound is a separate track of {tracks[0]['duration']:.2f} s."
    if clip["has_audio"]:
        return f"It has a sound track of {clip['audio_seconds'] or clip['duration']:.2f} s."
    return "It has no sound track: it is silent."


def _stretch(window: Window) -> str:
    return f"from {window['start']:.2f} to {window['end']:.2f} s"


def _listed(lines: list[str], none: str) -> list[str]:
    listed = [f"- {line}" for line in lines[:_MAX_MEASURED_LINES] or [none]]
    left = len(lines) - _MAX_MEASURED_LINES
    if left > 0:
        listed.append(f"- and {left} more, which are left out here")
    return listed


def _scenery(observation: "Observation") -> list[str]:
    lines = []
    colours = [
        f"{colour.name} {colour.share:.0%}{' (background)' * colour.background}" for colour in observation.colours
    ]
    if colours:
        lines.append(f"Colours: {', '.join(colours)}")
    for name, times in (("Cuts", observation.cuts), ("Flashes", observation.flashes)):
        if times:
            lines.append(f"{name}: {', '.join(f'{time:.2f} s' for time in times)}")
    return lines


def _sound_line(sound: "DetectedSound") -> str:
    pitch = f", {sound.pitch:.0f} Hz" if sound.pitch else ""
    return f"{sound.start:.2f}-{sound.end:.2f} s: {sound.sound_class}{pitch}, {sound.level:.1f} dBFS"


def _motion_line(motion: "Motion") -> str:
    from aurelia_core.signals.observation import describe_position

    what = motion.colour or "something of several colours"
    return (
        f"{motion.start:.2f}-{motion.end:.2f} s: {what} moves, {describe_position(motion.x, motion.y)},"
        f" {motion.extent:.1%} of the picture"
    )
