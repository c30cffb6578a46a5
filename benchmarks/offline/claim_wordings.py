"""Single claims about a scene in forty-eight wordings, each written before the reader of claims was changed for it.

Wordings 0 and 1 served its development. Each later group was held back, run once, and what failed was mended as kinds:

* 2 to 5 (scenes 96000 to 96039): 91.2 % of 1,312 pairs. A start and an end apart in a sentence, "as the loudest", other
  words for the same.
* 6 to 8 (scenes 97000 to 97044): 83.6 % of 1,344 pairs. A second clause about "it", an order stated backwards or by
  "first" and "second", "none of the others is as loud", a sound that "is absent", beats "per minute".
* 9 and 10 (scenes 98000 to 98059): 79.5 % of 1,194 pairs. Words that were passed over: "goes up and down" is a move,
  "is succeeded by" an order. Since then a claim with a word that the reader does not know is not "supported".
* 11 was written before that mending.
* 12 to 15 (`style_wordings`, scenes 101000 to 101026): 64.9 % of 1,068 pairs. Other forms: no verb, passive, idiom.
* 16 to 19 (scenes 102000 to 102039): 97.3 % of 1,312 pairs.
* 20 to 31 were written after that.
* 32 to 47 (`wordings_of_others.toml`): by four authors who had not seen the reader, four wordings each. Each group was
  run once and then mended as kinds before the next one was read: 32 to 35 (scenes 106000 to 106029) 63.4 % of 1,236
  pairs; 36 to 39 (scenes 107000 to 107029) 92.8 % of 1,192; 40 to 43 (scenes 108000 to 108029) 92.6 % of 1,104; 44 to
  47 (scenes 110000 to 110029) 96.5 % of 1,188, not mended.

One author wrote wordings 0 to 31 and the reader, so their figures are an upper bound for other people's words.
"""

import tomllib
from importlib.resources import files
from typing import Any, NamedTuple

from benchmarks.offline.critic_scenes import Facts
from benchmarks.offline.style_wordings import STYLES

_NAMES = {
    "tone": (
        "musical note",
        "clear tone",
        "held pitch",
        "tone",
        "chime-like tone",
        "humming note",
        "whistling tone",
        "sustained note",
        "beep",
        "constant tone",
        "sine tone",
        "plain tone",
    ),
    "noise": (
        "hissing sound",
        "noisy burst",
        "blast of static",
        "hiss of noise",
        "swoosh",
        "crackling noise",
        "burst of hiss",
        "rushing sound",
        "noise",
        "hissing noise",
        "noise burst",
        "hiss",
    ),
    "click": (
        "short click",
        "tapping sound",
        "ticking sound",
        "click",
        "tap",
        "knock",
        "brief click",
        "snapping sound",
        "clicking sound",
        "tap",
        "sharp click",
        "crisp click",
    ),
}
_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_OFTEN = ("never", "once", "twice", "three times")
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_WORDINGS: dict[str, tuple[str, ...]] = {
    "silent": (
        "There is no audible sound.",
        "Not a single sound can be heard.",
        "The audio is completely silent.",
        "You hear nothing throughout the clip.",
        "The soundtrack contains only silence.",
        "No audio is present.",
        "The clip has no sound whatsoever.",
        "Complete silence from beginning to end.",
        "It is a silent video.",
        "Throughout the recording there is silence.",
        "The video comes without any audio.",
        "Nothing is audible at any time.",
    ),
    "count": (
        "Altogether {number} sound{s} can be heard.",
        "Exactly {number} sound{s} occur{v}.",
        "The audio contains {number} sound{s}.",
        "I count {number} sound event{s}.",
        "The number of sounds is {number}.",
        "{Number} sound{s} {are} audible over the whole clip.",
        "In total one can hear {number} sound{s}.",
        "{Number} separate sound{s} can be told apart.",
        "The listener notices {number} distinct sound{s}.",
        "The soundtrack features {number} sound{s}.",
        "One can make out {number} sound{s}, no more and no fewer.",
        "The ear can tell {number} sound{s} apart.",
    ),
    "lasting": (
        "From {start:.1f} to {end:.1f} seconds a {name} can be heard.",
        "There is a {name} lasting from {start:.1f} s to {end:.1f} s.",
        "A {name} is present between {start:.1f} s and {end:.1f} s.",
        "We hear a {name} that begins at {start:.1f} s and ends at {end:.1f} s.",
        "A {name} plays from {start:.1f} seconds through {end:.1f} seconds.",
        "Starting at {start:.1f} s, a {name} goes on until {end:.1f} s.",
        "A {name} sets in at {start:.1f} s and stops at {end:.1f} s.",
        "Between second {start:.1f} and second {end:.1f} one hears a {name}.",
        "A {name} is heard; it starts at {start:.1f} s and ends at {end:.1f} s.",
        "A {name} extends from {start:.1f} s to {end:.1f} s.",
        "Beginning at {start:.1f} s and ending at {end:.1f} s, a {name} is heard.",
        "A {name} spans the time from {start:.1f} s to {end:.1f} s.",
    ),
    "sudden": (
        "At {start:.1f} seconds a {name} can be heard.",
        "There is a {name} at about {start:.1f} s.",
        "A {name} occurs at {start:.1f} s.",
        "We hear a {name} right at {start:.1f} s.",
        "A {name} rings out {start:.1f} seconds into the clip.",
        "One {name} is heard at the {start:.1f} second mark.",
        "A single {name} is audible around {start:.1f} s.",
        "At second {start:.1f} one hears a {name}.",
        "A {name} is heard at {start:.1f} s.",
        "A {name} appears at {start:.1f} s.",
        "At {start:.1f} s, there is a {name}.",
        "Near {start:.1f} s there comes a {name}.",
    ),
    "pitch": (
        "The {name} from {start:.1f} s to {end:.1f} s has a frequency of {pitch:.0f} Hz.",
        "Between {start:.1f} and {end:.1f} s sounds a {name} with a pitch of about {pitch:.0f} Hz.",
        "The {name} heard between {start:.1f} s and {end:.1f} s is at roughly {pitch:.0f} Hz.",
        "A {pitch:.0f} Hz {name} sounds from {start:.1f} s until {end:.1f} s.",
        "From {start:.1f} to {end:.1f} seconds there is a {name} whose pitch is close to {pitch:.0f} hertz.",
        "The pitch of the {name} that lasts from {start:.1f} to {end:.1f} s is around {pitch:.0f} Hz.",
        "With about {pitch:.0f} Hz, a {name} sounds between {start:.1f} s and {end:.1f} s.",
        "The {name} between {start:.1f} s and {end:.1f} s is pitched at {pitch:.0f} Hz.",
        "From {start:.1f} s to {end:.1f} s one hears a {name}, its frequency being {pitch:.0f} Hz.",
        "A {name} of {pitch:.0f} Hz extends from {start:.1f} s to {end:.1f} s.",
        "The {name} which lasts from {start:.1f} s to {end:.1f} s lies at {pitch:.0f} Hz.",
        "The {name} from {start:.1f} s to {end:.1f} s sits at {pitch:.0f} Hz.",
    ),
    "loudest": (
        "The loudest sound is the {which} one.",
        "The {which} sound is louder than all others.",
        "Among the sounds, the {which} is the loudest.",
        "No other sound is as loud as the {which} one.",
        "The {which} sound has the highest volume.",
        "It is the {which} sound that stands out as the loudest.",
        "In loudness the {which} sound exceeds every other one.",
        "Of the sounds, the {which} one is the loudest.",
        "None of the other sounds is as loud as the {which} sound.",
        "The {which} sound is the strongest in volume.",
        "The sound with the highest loudness is the {which}.",
        "Compared with the rest, the {which} sound is loudest.",
    ),
    "order": (
        "A {one} is heard first, followed by a {two}.",
        "The {one} occurs before the {two}.",
        "A {two} comes after a {one}.",
        "The {one} happens earlier than the {two}.",
        "There is a {one} and then a {two}.",
        "The {two} follows the {one}.",
        "First one hears a {one}, later a {two}.",
        "The {one} comes first and the {two} second.",
        "Before the {two} there is a {one}.",
        "The {one} takes place before the {two}.",
        "A {one} is succeeded by a {two}.",
        "The {one} leads and the {two} trails it.",
    ),
    "silence": (
        "It is silent between {start:.1f} and {end:.1f} seconds.",
        "No sound is heard from {start:.1f} s to {end:.1f} s.",
        "From {start:.1f} s until {end:.1f} s nothing can be heard.",
        "There are no sounds between {start:.1f} s and {end:.1f} s.",
        "The audio is quiet from {start:.1f} to {end:.1f} seconds.",
        "Silence prevails from {start:.1f} s to {end:.1f} s.",
        "The sound is absent from {start:.1f} s to {end:.1f} s.",
        "Between {start:.1f} s and {end:.1f} s the clip is silent.",
        "Nothing sounds from {start:.1f} s until {end:.1f} s.",
        "The track is mute between {start:.1f} s and {end:.1f} s.",
        "There is a pause without sound from {start:.1f} s to {end:.1f} s.",
        "The clip falls silent from {start:.1f} s to {end:.1f} s.",
    ),
    "tempo": (
        "The clicks come at a tempo of about {tempo} beats per minute.",
        "A steady beat of {tempo} BPM can be heard.",
        "The beat has a speed of roughly {tempo} BPM.",
        "There is a rhythm at {tempo} beats per minute.",
        "A regular ticking at about {tempo} bpm runs through the clip.",
        "The pulse is {tempo} beats per minute.",
        "The clicking has a rate of {tempo} beats per minute.",
        "Clicks follow each other steadily at {tempo} BPM.",
        "One hears an even beat, about {tempo} per minute.",
        "The beat goes at {tempo} beats per minute.",
        "Something ticks at a steady {tempo} BPM.",
        "Measured by its clicks, the tempo is {tempo} BPM.",
    ),
    "place": (
        "A {colour} {shape} moves {at_place} from {start:.1f} to {end:.1f} seconds.",
        "Between {start:.1f} and {end:.1f} s, a {colour} {shape} is moving {at_place}.",
        "The {colour} {shape} {at_place} is in motion between {start:.1f} s and {end:.1f} s.",
        "{At_place}, a {colour} object jumps from {start:.1f} s to {end:.1f} s.",
        "From {start:.1f} s to {end:.1f} s there is movement of a {colour} {shape} {at_place}.",
        "A {colour} {shape} located {at_place} bounces from {start:.1f} s until {end:.1f} s.",
        "There is a {colour} {shape} {at_place} that moves between {start:.1f} s and {end:.1f} s.",
        "{At_place} a {colour} {shape} hops up and down from {start:.1f} s to {end:.1f} s.",
        "Movement of something {colour} is seen {at_place} between {start:.1f} and {end:.1f} seconds.",
        "From {start:.1f} s to {end:.1f} s, the {colour} {shape} {at_place} goes up and down.",
        "A {colour} {shape} bobs {at_place} between {start:.1f} s and {end:.1f} s.",
        "The {colour} {shape} standing {at_place} stirs from {start:.1f} s to {end:.1f} s.",
    ),
    "background": (
        "The video starts with a {ground} background.",
        "The background is {ground} at the start.",
        "In the opening shot, the background is {ground}.",
        "At the beginning, the backdrop has the colour {ground}.",
        "The first thing seen is a {ground} background.",
        "The clip begins in front of a {ground} background.",
        "Behind everything there is {ground} at the beginning.",
        "The initial background colour is {ground}.",
        "At first, one sees a {ground} backdrop.",
        "The opening background is {ground}.",
        "It begins with {ground} as the background colour.",
        "What lies behind at the start is {ground}.",
    ),
    "cuts": (
        "There {are} {number} cut{s} in the video.",
        "The video has {number} scene change{s}.",
        "One sees {number} cut{s}.",
        "The number of cuts is {number}.",
        "Exactly {number} cut{s} occur{v} in the clip.",
        "The footage has {number} hard cut{s}.",
        "The clip is cut {often}.",
        "It contains {number} cut{s}.",
        "The picture jumps to another scene {often}.",
        "{Number} cut{s} can be counted.",
        "There {are} {number} change{s} of shot.",
        "The clip shows {number} transition{s} between shots.",
    ),
    "flash": (
        "A white flash is seen at {time:.1f} seconds.",
        "The picture flashes white at {time:.1f} s.",
        "There is a bright flash at {time:.1f} s.",
        "At {time:.1f} s the screen turns white for an instant.",
        "A flash lights up the screen at about {time:.1f} seconds.",
        "The image briefly flashes at {time:.1f} s.",
        "For a moment everything is white at {time:.1f} s.",
        "A short flash of light occurs at {time:.1f} s.",
        "The frame flashes at {time:.1f} s.",
        "There is a white flash at {time:.1f} s.",
        "At {time:.1f} s a flash can be seen.",
        "A sudden white flash occurs at {time:.1f} s.",
    ),
    "together": (
        "The sounds and the movements coincide.",
        "Sound and motion are synchronous.",
        "The movements occur in time with the sounds.",
        "Each sound is accompanied by a movement.",
        "What is heard and what moves happen together.",
        "Motion and audio are synchronized.",
        "Sounds and movements happen at the same moments.",
        "Every movement comes with a sound.",
        "Hearing and seeing are in step: movements and sounds coincide.",
        "Motion and sound occur at the same time.",
        "The movements are synchronized with the sounds.",
        "Whenever something sounds, something moves.",
    ),
    "apart": (
        "The sounds and the movements do not coincide.",
        "Sound and motion are not synchronous.",
        "The movements occur at other times than the sounds.",
        "The sounds are not accompanied by movement.",
        "What is heard and what moves do not happen together.",
        "Motion and audio are not synchronized.",
        "Sounds and movements happen at different moments.",
        "No movement comes with a sound.",
        "Hearing and seeing are out of step: movements and sounds do not coincide.",
        "Motion and sound occur at different times.",
        "The movements are not synchronized with the sounds.",
        "When something sounds, nothing moves.",
    ),
}
_OF_OTHERS = tomllib.loads(files("benchmarks.offline").joinpath("wordings_of_others.toml").read_text("utf-8"))
for _style in (*STYLES, *_OF_OTHERS["style"]):
    for _kind, _forms in (*_NAMES.items(), *_WORDINGS.items()):
        (_NAMES if _kind in _NAMES else _WORDINGS)[_kind] = (*_forms, _style[_kind])
WORDINGS = len(_WORDINGS["silent"])
_PLACES = {"left": "on the left", "centre": "in the centre", "right": "on the right"}


class WordedClaim(NamedTuple):
    """One claim in words; `fact` is what it states: its kind and the place of the fact in the scene."""

    fact: tuple[str, int]
    text: str


def worded_claims(facts: Facts, wording: int) -> list[WordedClaim]:
    """Every fact of a scene as one sentence.

    Args:
        facts: the facts, true or with one of them changed.
        wording: 0 to 47.
    """
    return [*_heard(facts, wording), *_seen(facts, wording)]


def _say(kind: str, number: int, wording: int, /, **values: Any) -> WordedClaim:
    text = _WORDINGS[kind][wording].format(**_in_other_forms(values))
    return WordedClaim((kind, number), text[0].upper() + text[1:])


def _in_other_forms(values: dict[str, Any]) -> dict[str, Any]:
    """The values with times on a clock (0:03.7) and in words, and with words that begin a sentence."""
    forms = dict(values)
    for name in ("start", "end", "time"):
        if name in values:
            forms[f"{name}_clock"] = f"0:{values[name]:04.1f}"
            forms[f"{name}_words"] = _time_in_words(values[name])
    for name in ("name", "one", "two", "colour"):
        if name in values:
            forms[name.capitalize()] = str(values[name]).capitalize()
    return forms


def _time_in_words(seconds: float) -> str:
    whole, tenths = divmod(round(seconds * 10), 10)
    return f"{_NUMBERS[whole] if whole else 'zero'} point {_NUMBERS[tenths] if tenths else 'zero'} seconds"


def _amount(number: int) -> dict[str, str]:
    word = _NUMBERS[number]
    one = number == 1
    return {
        "number": word,
        "digits": str(number),
        "Number": word.capitalize(),
        "s": "" if one else "s",
        "v": "s" if one else "",
        "are": "is" if one else "are",
    }


def _heard(facts: Facts, wording: int) -> list[WordedClaim]:
    if facts.tempo:
        return [_say("tempo", 0, wording, tempo=facts.tempo)]
    if not facts.count:
        return [_say("silent", 0, wording)]
    found = [_say("count", 0, wording, **_amount(facts.count))]
    for number, sound in enumerate(facts.sounds):
        lasting = sound["end"] - sound["start"] > 0.1
        values = {**sound, "name": _NAMES[sound["voice"]][wording]}
        found.append(_say("lasting" if lasting else "sudden", number, wording, **values))
        if sound["pitch"]:
            found.append(_say("pitch", number, wording, **values))
    if facts.loudest is not None:
        found.append(_say("loudest", 0, wording, which=_ORDINALS[facts.loudest]))
    if facts.order is not None:
        one, two = (_NAMES[facts.sounds[index]["voice"]][wording] for index in facts.order)
        found.append(_say("order", 0, wording, one=one, two=two))
    if facts.silence is not None:
        found.append(_say("silence", 0, wording, start=facts.silence[0], end=facts.silence[1]))
    return found


def _seen(facts: Facts, wording: int) -> list[WordedClaim]:
    found = []
    for number, motion in enumerate(facts.motions):
        place = _PLACES[motion["place"]]
        found.append(_say("place", number, wording, **motion, at_place=place, At_place=place.capitalize()))
    found.append(_say("background", 0, wording, ground=facts.background))
    found.append(_say("cuts", 0, wording, often=_OFTEN[facts.cut_count], **_amount(facts.cut_count)))
    found += [_say("flash", number, wording, time=time) for number, time in enumerate(facts.flashes)]
    if facts.together is not None:
        found.append(_say("together" if facts.together else "apart", 0, wording))
    return found
