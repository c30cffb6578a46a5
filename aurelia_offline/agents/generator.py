"""The offline Reasoning Generator: steps for one question, each with a measured cue and finding."""

from collections.abc import Callable, Sequence
from math import isfinite

from aurelia_core.answers.clean_answer import UNKNOWN
from aurelia_core.models.requests import GeneratorRequest
from aurelia_core.signals.observation import Observation
from aurelia_core.signals.whole_clip import WholeClip
from aurelia_core.types import Modality, Reasoning, Step
from aurelia_offline.agents import inventory
from aurelia_offline.answering.answers import final_answer, find_answer
from aurelia_offline.answering.coverage import cover_clip
from aurelia_offline.answering.finding import MeasuredAnswer, domain_modality, event_words, frequency_text, join_words
from aurelia_offline.answering.selection import pick_text, select_events
from aurelia_offline.answering.witnessed import Witnessed
from aurelia_offline.questions.query import Pick, Query
from aurelia_offline.questions.question import parse_question
from aurelia_offline.world import stage_agent

_WHOLE_CLIP_ASKS = {"tempo", "steady", "silent", "has_audio", "duration", "background", "palette", "unknowable"}
_WHOLE_BAND_RATE = 16000
_WHOLE_CLIP_DOMAINS = {"silence", "background"}
_PROPERTY_WORDS = {
    "count": "how many of them there are",
    "which": "which it is",
    "when": "when it starts",
    "end": "when it ends",
    "length": "how long it lasts",
    "level": "how loud it is",
    "pitch": "its pitch",
    "voice": "what kind of sound it is",
    "place": "where in the picture it is",
    "colour": "what colour it has",
}
_TASK_WORDS = {
    "tempo": "Measure how fast the beat is from the distances between the onsets.",
    "steady": "Compare the distances between the onsets: is there a steady beat?",
    "sync": "Compare the onsets of the motion with the onsets of the sounds.",
    "lag": "Measure how far the onsets of the motion lie from the onsets of the sounds.",
    "silent": "Check whether anything rises above the noise floor.",
    "has_audio": "Check whether the clip carries sound.",
    "duration": "Measure how long the clip lasts.",
    "palette": "Determine the colours of the picture and their shares.",
    "background": "Determine the colour that covers most of the picture and stays still.",
    "sequence": "Put them in the order of their onsets.",
    "still": "Compare what is visible with what moves.",
    "track": "Compare the onsets of the motion with the onsets of each candidate audio.",
    "unknowable": "Decide whether measuring sound and picture can answer the question.",
}


def generate_reasoning(
    request: GeneratorRequest,
    seen: Observation,
    *,
    tracks: list[tuple[str, Observation]] | None = None,
    before: Observation | None = None,
    pieces: Sequence[Observation] = (),
    whole: Callable[[], WholeClip | None] = lambda: None,
    witnessed: Witnessed | None = None,
) -> Reasoning:
    """The steps and the final answer for a question.

    Args:
        request: the generator's request.
        seen: all looks so far, merged.
        tracks: for candidate tracks, each letter with the observation of the clip and that track.
        before: the earlier looks, merged, to state what the last one changed.
        pieces: the single looks.
        whole: measures the whole clip, to tell what the looks missed.
        witnessed: the answer of a witness, to a question that measurements do not answer.
    """
    choices = list(request.choices)
    if witnessed is not None:
        steps = _inventory_steps(seen, _describe_change(request, seen, before), tracks, named_windows=False)
        return Reasoning(steps=[*steps, _witness_step(witnessed)], answer=witnessed.answer)
    if not tracks and (posed := stage_agent.read_stage_question(request.question, seen)):
        return stage_agent.stage_reasoning(*posed, seen, choices)
    query = parse_question(request.question, choices, len(tracks or []))
    complete = None
    if not tracks and query.ask != "unknowable":
        complete = whole()
        seen = cover_clip(seen, complete)
        before = before and cover_clip(before, complete)
    found = find_answer(query, seen, tracks, pieces, complete)
    answer = final_answer(found, choices)
    change = _describe_change(request, seen, before)
    named = complete is not None or (query.ask not in _WHOLE_CLIP_ASKS and query.pick.domain not in _WHOLE_CLIP_DOMAINS)
    steps = [*_inventory_steps(seen, change, tracks, named_windows=named), *_find_steps(query, seen)]
    return Reasoning(steps=[*steps, _final_step(query, found, answer)], answer=answer)


def _witness_step(witnessed: Witnessed) -> Step:
    found = witnessed.finding
    said = found.text if witnessed.answer in {found.text, UNKNOWN} else f"{witnessed.answer}: {found.text}"
    return _make_step(witnessed.task, found.cue, said, found.modality)


def _make_step(step: str, justification: str, answer: str, modality: Modality) -> Step:
    return Step(step=step, justification=justification, answer=answer, modality=modality)


def _describe_change(request: GeneratorRequest, seen: Observation, before: Observation | None) -> str:
    """What the last, guided look changed; "" in the first attempt."""
    looks = request.looks
    if before is None or len(looks) < 2:
        return ""
    where = inventory.windows_text(list(looks[-1])) or "the whole clip"
    differences = [
        f"{len(now)} {name} instead of {len(then)}"
        for name, now, then in (
            ("sounds", seen.sounds, before.sounds),
            ("movements", seen.motions, before.motions),
            ("cuts", seen.cuts, before.cuts),
            ("flashes", seen.flashes, before.flashes),
        )
        if len(now) != len(then)
    ]
    changed = join_words(differences) or ("finer times and pitches" if seen.sounds != before.sounds else "nothing new")
    return f" Attempt {len(looks)} looked again {where}: {changed}."


def _inventory_steps(
    seen: Observation, change: str, tracks: list[tuple[str, Observation]] | None, *, named_windows: bool
) -> list[Step]:
    """One step for the sounds and one for the picture; they name the windows that contain something."""
    steps = []
    ears = "Find out what can be heard in the clip: kind, pitch, loudness and times of the sounds"
    windows = inventory.windows_text(inventory.event_windows(seen, "sound")) if named_windows else ""
    heard = inventory.describe_tracks(tracks) if tracks else inventory.describe_audio(seen)
    cue = _hearing_cue(seen, several=bool(tracks)) + change
    steps.append(_make_step(_append_windows(ears, "listen again", windows), cue, " ".join(heard), "audio"))
    if seen.video_spans:
        eyes = "Find out what can be seen in the clip: what moves, where and when, the background, cuts and flashes"
        windows = inventory.windows_text(inventory.event_windows(seen, "motion")) if named_windows else ""
        cue = f"Frames at most {seen.frame_gap:.2f} s apart were compared; no motion shorter than that is seen.{change}"
        if not isfinite(seen.frame_gap):
            cue = f"A single frame was looked at; it shows no movement.{change}"
        if seen.still:
            eyes = "Find out what can be seen in the picture: its colours"
            cue = "A still picture was measured; it shows no movement."
        if seen.pictures > 1:
            cue += f" It is the first of {seen.pictures} pictures; the others were not measured."
        steps.append(
            _make_step(
                _append_windows(eyes, "look again", windows), cue, " ".join(inventory.describe_picture(seen)), "visual"
            )
        )
    return steps


def _append_windows(task: str, verb: str, windows: str) -> str:
    return f"{task}; {verb} {windows}." if windows else f"{task}."


def _hearing_cue(seen: Observation, *, several: bool) -> str:
    if not seen.has_audio:
        return "The clip carries no sound track."
    total = sum(end - start for start, end in seen.audio_spans)
    parts = [f"{total:.1f} s of sound were listened to."]
    if seen.sample_rate < _WHOLE_BAND_RATE:
        limit = frequency_text(seen.sample_rate / 2)
        parts = [f"{total:.1f} s of sound were listened to; a closer look tells more about sounds above {limit}."]
    levels = [f"{sound.level:.0f}" for sound in seen.sounds[:8]]
    if levels and not several:
        parts.append(f"Levels in order of time: {', '.join(levels)} dBFS.")
    return " ".join(parts)


def _picks_to_find_first(query: Query) -> list[Pick]:
    """The descriptions to find before the question's own, the innermost first."""
    found: list[Pick] = []
    inner = query.pick.other
    while inner is not None:
        found.append(inner)
        inner = inner.other
    if query.other is not None and query.ask not in {"check"}:
        found.append(query.other)
    return found[::-1][:2]


def _find_steps(query: Query, seen: Observation) -> list[Step]:
    """The steps between the inventory and the answer: find the events that the question refers to."""
    steps = []
    for pick in _picks_to_find_first(query):
        chosen = select_events(pick, seen)
        answer = join_words([event_words(event, seen) for event in chosen.events[:6]]) or UNKNOWN
        cue = chosen.problem or _selection_cue(pick, seen)
        steps.append(_make_step(f"Find {pick_text(pick)}.", cue, answer, domain_modality(pick.domain)))
    return steps


def _selection_cue(pick: Pick, seen: Observation) -> str:
    """The comparison that singles an event out."""
    prop = (pick.rank or "")[:-1]
    if prop == "level":
        return f"levels of the sounds: {', '.join(f'{s.level:.0f}' for s in seen.sounds[:10])} dBFS"
    if prop == "pitch":
        return f"pitches of the tones: {', '.join(f'{s.pitch:.0f}' for s in seen.sounds[:10] if s.pitch)} Hz"
    if prop == "length":
        return f"lengths of the sounds: {', '.join(f'{s.end - s.start:.2f}' for s in seen.sounds[:10])} s"
    return "by the order of the onsets" if pick.nth is not None else "by kind, colour and place as measured"


def _task_text(query: Query) -> str:
    """The task of the last step in the question's terms, without the answer."""
    if query.ask in _TASK_WORDS:
        return _TASK_WORDS[query.ask]
    about = pick_text(query.pick)
    if query.pick.relation and (query.pick.other or query.pick.span):
        where = pick_text(query.pick.other) if query.pick.other else "the stretch that the question names"
        about = f"{about} {query.pick.relation.replace('_', ' ')} {where}"
    if query.ask in _PROPERTY_WORDS:
        return f"Find {about} and determine {_PROPERTY_WORDS[query.ask]}."
    if query.ask in {"compare", "choose", "same", "order", "gap", "relative"} and query.other is not None:
        return f"Compare {about} with {pick_text(query.other)}."
    if query.ask == "trend":
        return f"Compare {'pitch' if (query.prop or '').startswith('pitch') else 'loudness'} from sound to sound."
    return f"Check {about} against what the question says."


def _final_step(query: Query, found: MeasuredAnswer, answer: str) -> Step:
    modality: Modality = "knowledge" if query.ask == "unknowable" else found.modality
    said = found.text if answer in {found.text, UNKNOWN} else f"{answer}: {found.text}"
    if answer == UNKNOWN and found.text != UNKNOWN:
        said = f"{UNKNOWN}: {found.text} is measured, and no single choice says that"
    return _make_step(_task_text(query), found.cue, said, modality)
