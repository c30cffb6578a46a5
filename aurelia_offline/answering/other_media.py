"""Questions about media other than one video: what a still picture or a sound alone cannot show, and several sounds."""

from collections.abc import Callable

from aurelia_core.signals.observation import Observation
from aurelia_offline.answering.finding import MeasuredAnswer, unknown_finding, yes_no_finding
from aurelia_offline.answering.selection import is_tied
from aurelia_offline.questions.choices import Value
from aurelia_offline.questions.query import Query

_PICTURE_DOMAINS = {"motion", "cut", "flash", "fade", "fade_out", "fade_in", "background"}
_MOST_OF_FILE = 0.85
_LENGTH_SLACK_SECONDS, _LENGTH_SLACK_SHARE = 0.15, 0.05
_PICTURE_ASKS = {"background", "palette", "still", "sync", "lag"}


def find_missing_sight(query: Query, seen: Observation) -> str:
    """Why a question about the picture has no answer in these media, or ""."""
    if query.pick.domain not in _PICTURE_DOMAINS and query.ask not in _PICTURE_ASKS:
        if query.ask == "duration" and seen.still and not seen.has_audio:
            return "a still picture has no length"
        return ""
    if not seen.video_spans:
        return "there is only sound, and no picture"
    if seen.pictures > 1:
        return f"there are {seen.pictures} pictures, and the offline profile does not know which of them is meant"
    if not seen.still or query.ask in {"background", "palette", "colour"}:
        return ""
    colours = ", ".join(f"{colour.name} {colour.share:.0%}" for colour in seen.colours[:4])
    return f"a still picture shows no movement, and shapes are not recognized; its colours are {colours}"


def answer_among_sounds(query: Query, sounds: list[tuple[str, Observation]]) -> MeasuredAnswer:
    """The answer about several sounds without a video: which of them is the loudest, the highest, the longest.

    Args:
        query: the query.
        sounds: each letter with the observation of that sound.
    """
    pick = query.pick
    plain = pick.domain in {"sound", "track"} and pick.relation is None
    if plain and pick.rank and pick.nth is None:
        return _best_sound(pick.rank, sounds)
    if plain and _compares_first_two(query):
        best = _best_sound(query.prop or "", sounds[:2])
        if query.ask == "choose" or not best.values:
            return best
        named = sounds[(pick.nth or 1) - 1][0]
        return yes_no_finding((best.text == f"Sound {named}") != query.negated, best.cue, "audio")
    return unknown_finding(
        f"there are {len(sounds)} separate sounds, and only their loudness, pitch, length and number of events are"
        " compared",
        "audio",
    )


def _compares_first_two(query: Query) -> bool:
    """Whether the question compares the first sound with the second one, in either order."""
    if query.ask not in {"compare", "choose"} or query.other is None or query.prop is None:
        return False
    return {query.pick.nth, query.other.nth} == {1, 2}


def _best_sound(rank: str, sounds: list[tuple[str, Observation]]) -> MeasuredAnswer:
    prop, up = rank[:-1], rank.endswith("+")
    measure = _MEASURES.get(prop)
    values = [(measure(seen), letter) for letter, seen in sounds] if measure else []
    known = [(value, letter) for value, letter in values if value is not None]
    if len(known) < len(sounds):
        return unknown_finding(f"the {_NAMES.get(prop, prop)} of some of the sounds could not be measured", "audio")
    cue = ", ".join(f"sound {letter}: {value:.4g} {_UNITS[prop]}".rstrip() for value, letter in known)
    known.sort(reverse=up)
    if _is_equal(known[0][0], known[1][0], prop):
        why = f"two of the sounds are equal in {_NAMES[prop]} as far as can be measured ({cue})"
        return unknown_finding(why, "audio")
    best = known[0][1]
    number = [letter for letter, _ in sounds].index(best) + 1
    return MeasuredAnswer((Value("letter", best), Value("ordinal", number)), f"Sound {best}", cue, "audio")


def _is_equal(first: float, second: float, prop: str) -> bool:
    """Whether two measurements are too close to tell; a sound's fading ends are heard less exactly than its onset."""
    if prop == "length":
        return abs(first - second) < max(_LENGTH_SLACK_SECONDS, _LENGTH_SLACK_SHARE * max(first, second))
    return first == second or is_tied(first, second, prop)


def _level(seen: Observation) -> float | None:
    return max((sound.level for sound in seen.sounds), default=None)


def _pitch(seen: Observation) -> float | None:
    tones = [sound for sound in seen.sounds if sound.pitch is not None]
    if not tones:
        return None
    return max(tones, key=lambda sound: sound.level).pitch


def _length(seen: Observation) -> float | None:
    if not seen.sounds:
        return None
    heard = max(sound.end for sound in seen.sounds) - min(sound.start for sound in seen.sounds)
    if heard < _MOST_OF_FILE * sum(end - start for start, end in seen.audio_spans):
        return heard
    # A sound that fills its file is as long as the file, whatever of its ends is too soft to be detected.
    return sum(end - start for start, end in seen.audio_spans)


def _count(seen: Observation) -> float | None:
    return float(len(seen.sounds))


_MEASURES: dict[str, Callable[[Observation], float | None]] = {
    "level": _level,
    "pitch": _pitch,
    "length": _length,
    "count": _count,
}
_NAMES = {"level": "loudness", "pitch": "pitch", "length": "length", "count": "number of events"}
_UNITS = {"level": "dBFS", "pitch": "Hz", "length": "s", "count": ""}
