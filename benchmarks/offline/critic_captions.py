"""Captions of the benchmark: the facts of a scene in five wordings. Styles 0 to 3 were used in development.

Style 4 was held out: it was written after the critic was finished. In its first run (scenes 90000 to 90049) the critic
ranked 42.4 % of the pairs correctly and tied 52 %, because it could not read "at second 2.5", which this style uses for
all times. Only that form and "the sound pauses" were added to the critic afterwards.
"""

from typing import Any

from benchmarks.offline.critic_scenes import Facts

HELD_OUT = 4
NAMES = {
    "tone": ("beep", "pure tone", "steady note", "whistle", "ringing tone"),
    "noise": ("hiss", "burst of noise", "rush of white noise", "whoosh", "rushing noise"),
    "click": ("click", "tick", "dry click", "snap", "sharp tap"),
}
ORDINALS = ("first", "second", "third", "fourth", "fifth")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")

NO_SOUND = (
    "Nothing at all can be heard.",
    "The whole clip is silent.",
    "It has no sound.",
    "The video is soundless.",
    "No sound is heard at any point.",
)
COUNTED = (
    "The soundtrack holds {number} separate sound{s}.",
    "In all, {number} distinct sound{s} can be made out.",
    "One hears {number} sound{s} in this clip.",
    "There {are} {number} audible sound{s} in total.",
    "The listener hears {number} sound{s} altogether.",
)
LASTING = (
    "A {name}{hertz} begins at {start:.1f} seconds and stops at {end:.1f} seconds.",
    "Between {start:.1f} and {end:.1f} sec there is a {name}{hertz}.",
    "A {name}{hertz} is audible from {start:.1f}s until {end:.1f}s.",
    "You can hear a {name}{hertz} starting at {start:.1f} s and ending at {end:.1f} s.",
    "A {name}{hertz} sounds from second {start:.1f} to second {end:.1f}.",
)
SUDDEN = (
    "A {name} comes at {start:.1f} seconds.",
    "Around {start:.1f} sec there is a {name}.",
    "A {name} is audible at {start:.1f}s.",
    "You can hear a {name} at {start:.1f} s.",
    "At second {start:.1f} a {name} sounds.",
)
HERTZ = (
    ", pitched near {pitch:.0f} Hz,",
    " at {pitch:.0f} hertz",
    " ({pitch:.0f} Hz)",
    " of {pitch:.0f} Hz",
    " with a pitch of {pitch:.0f} Hz",
)
LOUDEST = (
    "The {which} of them is the loudest.",
    "The loudest is the {which} sound.",
    "Of all the sounds the {which} one has the greatest volume.",
    "It is the {which} sound that is loudest.",
    "None is as loud as the {which}.",
)
ORDER = (
    "The {one} precedes the {two}.",
    "The {one} comes earlier than the {two}.",
    "The {one} is heard before the {two}.",
    "First comes the {one}, then the {two}.",
    "After the {one} follows the {two}.",
)
SILENCE = (
    "Nothing is heard from {start:.1f} seconds to {end:.1f} seconds.",
    "Between {start:.1f} and {end:.1f} sec it is quiet.",
    "There is silence from {start:.1f}s until {end:.1f}s.",
    "From {start:.1f} to {end:.1f} s there is no sound at all.",
    "The sound pauses from second {start:.1f} to second {end:.1f}.",
)
TEMPO = (
    "A regular pulse runs at some {tempo} beats a minute.",
    "The clicks keep a tempo of {tempo} bpm.",
    "Ticking goes on at {tempo} BPM throughout.",
    "A metronome beats {tempo} times per minute.",
    "The rhythm is even, about {tempo} beats per minute.",
)
MOTION = (
    "{On} the {place}, something {colour} bounces between {start:.1f} and {end:.1f} seconds.",
    "A {colour} {shape} hops in the {place} of the picture from {start:.1f} to {end:.1f} sec.",
    "From {start:.1f}s until {end:.1f}s a {colour} thing jumps up and down, {place}.",
    "{On} the {place} side of the frame, a {colour} {shape} is in motion from {start:.1f} s to {end:.1f} s.",
    "A {colour} {shape} at the {place} shakes from second {start:.1f} to second {end:.1f}.",
)
GROUND = (
    "At first the backdrop is {ground}.",
    "It opens on a {ground} background.",
    "The scene begins against a {ground} backdrop.",
    "Initially, the background colour is {ground}.",
    "Everything stands before a {ground} wall in the beginning.",
)
UNCUT = (
    "It is one continuous shot.",
    "The picture is never cut.",
    "There is not a single cut.",
    "No cut interrupts the video.",
    "The camera never switches to another shot.",
)
CUTS = (
    "The picture cuts {often}.",
    "The scene changes {often}.",
    "There {are} {number} cut{s}.",
    "The video contains {number} cut{s}.",
    "The shot changes {often}.",
)
GROUND_AFTER = (
    "At {time:.1f} seconds the background becomes {ground}.",
    "From {time:.1f} sec on, the backdrop is {ground}.",
    "The background turns {ground} at {time:.1f}s.",
    "After {time:.1f} s the background is {ground}.",
    "At second {time:.1f} the wall behind turns {ground}.",
)
FLASH = (
    "The screen flashes at {time:.1f} seconds.",
    "A white flash comes at {time:.1f} sec.",
    "There is a flash at {time:.1f}s.",
    "At {time:.1f} s the picture goes white in a flash.",
    "The picture lights up white for a moment at second {time:.1f}.",
)
TOGETHER = (
    "Movement and sound go together.",
    "The motion is in sync with the sound.",
    "Sound and movement happen at the same time.",
    "The movements and the sounds happen simultaneously.",
    "Whatever sounds also moves at that moment.",
)
APART = (
    "Movement and sound are independent of each other.",
    "The motion is out of sync with the sound.",
    "Sound and movement happen at different times.",
    "The movements and the sounds do not coincide.",
    "What moves and what sounds have nothing to do with each other.",
)


def caption(facts: Facts, style: int) -> str:
    """Put the facts into words.

    Args:
        facts: the facts to state.
        style: 0 to 3, or HELD_OUT.
    """
    sentences = [*_heard(facts, style), *_seen(facts, style)]
    if facts.together is not None:
        sentences.append((TOGETHER if facts.together else APART)[style])
    return " ".join(sentences)


def _amount(number: int) -> dict[str, str]:
    return {"number": NUMBERS[number], "s": "" if number == 1 else "s", "are": "is" if number == 1 else "are"}


def _heard(facts: Facts, style: int) -> list[str]:
    if facts.tempo:
        return [TEMPO[style].format(tempo=facts.tempo)]
    sentences = [COUNTED[style].format(**_amount(facts.count)) if facts.count else NO_SOUND[style]]
    sentences += [_sound(sound, style) for sound in facts.sounds]
    if facts.loudest is not None:
        sentences.append(LOUDEST[style].format(which=ORDINALS[facts.loudest]))
    if facts.order is not None:
        one, two = (NAMES[facts.sounds[index]["voice"]][style] for index in facts.order)
        sentences.append(ORDER[style].format(one=one, two=two))
    if facts.silence is not None:
        sentences.append(SILENCE[style].format(start=facts.silence[0], end=facts.silence[1]))
    return sentences


def _sound(sound: dict[str, Any], style: int) -> str:
    hertz = HERTZ[style].format(pitch=sound["pitch"]) if sound["pitch"] else ""
    form = LASTING if sound["end"] - sound["start"] > 0.1 else SUDDEN
    return form[style].format(name=NAMES[sound["voice"]][style], hertz=hertz, start=sound["start"], end=sound["end"])


def _seen(facts: Facts, style: int) -> list[str]:
    sentences = []
    for motion in facts.motions:
        preposition = "In" if motion["place"] == "centre" else "On"
        sentences.append(MOTION[style].format(On=preposition, **motion))
    sentences.append(GROUND[style].format(ground=facts.background))
    if facts.cut_count:
        often = ("", "once", "twice", "three times")[facts.cut_count]
        sentences.append(CUTS[style].format(often=often, **_amount(facts.cut_count)))
        sentences += [GROUND_AFTER[style].format(time=cut["time"], ground=cut["background"]) for cut in facts.cuts]
    else:
        sentences.append(UNCUT[style])
    return sentences + [FLASH[style].format(time=flash) for flash in facts.flashes]
