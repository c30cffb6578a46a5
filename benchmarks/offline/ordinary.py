"""Eight measurable kinds of questions in ordinary words: loudness, count, pitch, side, tempo, silence, order, colour.

The wordings were written before the reader was tried on them. `python -m benchmarks.offline.ordinary`
"""

from collections.abc import Callable

import numpy as np

from benchmarks.offline.schedules import RATE
from benchmarks.offline.truthful import (
    COLOURS,
    FPS,
    Asked,
    Clip,
    ask,
    bounce,
    holds,
    make,
    near,
    no,
    number,
    plain,
    sound_track,
    tone,
    yes,
)


def two_shapes_three_tones() -> Clip:
    """A red shape at the left with a quiet tone, a blue one at the right with a loud low tone, a high tone, then green.

    Times: 440 Hz from 1.0 s to 1.8 s, 220 Hz (the loudest) from 4.0 s to 5.2 s, 880 Hz from 7.0 s to 7.4 s; the
    background is green from 8.5 s on; the clip lasts 10 s.
    """
    events = [(1.0, tone(440, 0.8, -27)), (4.0, tone(220, 1.2, -14)), (7.0, tone(880, 0.4, -20))]
    images = plain(10.0)
    images[round(8.5 * FPS) :] = COLOURS["green"]
    early = images[: round(8.5 * FPS)]
    bounce(early, [(1.0, 1.8)], 0.2, COLOURS["red"])
    bounce(early, [(4.0, 5.2)], 0.8, COLOURS["blue"])
    asked = [
        Asked("Which of the sounds is the loudest?", holds("second", "220")),
        Asked("Which sound is the quietest?", holds("first", "440")),
        Asked("At what point is it loudest?", near(4.0, 0.3)),
        Asked("When is the clip at its loudest?", near(4.0, 0.3)),
        Asked("Is the first noise softer than the second one?", yes),
        Asked("Is the last sound louder than the one before it?", no),
        Asked("How many tones do you hear?", number(3)),
        Asked("How many times does something sound?", number(3)),
        Asked("How often is there a sound?", number(3)),
        Asked("What is the number of beeps in this clip?", number(3)),
        Asked("How many separate sounds are in the recording?", number(3)),
        Asked("Which of the tones has the highest pitch?", holds("third", "880", "last")),
        Asked("Is the final tone higher or lower than the first?", holds("higher")),
        Asked("Which tone is deepest?", holds("second", "220")),
        Asked("Does the second tone sound lower than the first one?", yes),
        Asked("How high is the first tone?", near(440, 15)),
        Asked("Which side is the red square on?", holds("left")),
        Asked("Is the blue square on the left or the right?", holds("right")),
        Asked("Where does the first movement take place?", holds("left")),
        Asked("On what side of the screen does the blue thing move?", holds("right")),
        Asked("Is the red object on the left-hand side?", yes),
        Asked("Which colour moves on the right side?", holds("blue")),
        Asked("When is the clip silent?", holds("1.8")),
        Asked("When is it quiet?", holds("1.8")),
        Asked("Are there any pauses in the sound?", yes),
        Asked("Is there a silent part in the clip?", yes),
        Asked("How long is the longest silence?", near(2.5, 0.4)),
        Asked("Is it silent at the end?", yes),
        Asked("Is there any sound after eight seconds?", no),
        Asked("Does the red square move before the blue square?", yes),
        Asked("Which moves first, the red square or the blue square?", holds("red")),
        Asked("What happens first, the low tone or the high tone?", holds("low")),
        Asked("Does the blue shape move after the red shape?", yes),
        Asked("Is the loudest sound heard before the highest one?", yes),
        Asked("Which shape is the last to move?", holds("blue")),
        Asked("What colour is on the screen at the end?", holds("green")),
        Asked("What is the final colour of the background?", holds("green")),
        Asked("Which colour fills the picture at the very end?", holds("green")),
        Asked("What color does the background turn at the end?", holds("green")),
        Asked("What is the last background colour?", holds("green")),
        Asked("How does the clip end: with a red, green or blue background?", holds("green")),
    ]
    return Clip("two shapes, three tones", make(sound_track(10.0, events), images), asked)


def clicks_at_120() -> Clip:
    """A click each half second from 0.5 s to 6.0 s (120 beats a minute), then silence up to 10 s."""
    onsets = np.arange(0.5, 6.25, 0.5)
    events = [(float(start), tone(700, 0.08, -18) * np.exp(-np.arange(round(0.08 * RATE)) / 300)) for start in onsets]
    asked = [
        Asked("What's the tempo in BPM?", near(120, 5)),
        Asked("How many beats are there per minute?", near(120, 5)),
        Asked("How quick is the rhythm?", near(120, 5)),
        Asked("What is the speed of the beat?", near(120, 5)),
        Asked("Is the beat regular?", yes),
        Asked("Is the tempo faster than 100 beats per minute?", yes),
        Asked("What is the pace of the beat?", near(120, 5)),
        Asked("Does the rhythm keep steady?", yes),
        Asked("When does it go quiet?", near(6.05, 0.4)),
        Asked("When does the silence begin?", holds("6.")),
        Asked("How long does the silence last?", near(3.9, 0.6)),
        Asked("Is the second half of the clip quieter than the first?", yes),
    ]
    return Clip("clicks", make(sound_track(10.0, events), plain(10.0)), asked)


CLIPS: tuple[Callable[[], Clip], ...] = (two_shapes_three_tones, clicks_at_120)


def main() -> None:
    """Ask, and print what is false or unknown, and the figures."""
    questions, true, stated = 0, 0, 0
    for made in CLIPS:
        clip = made()
        for asked in clip.asked:
            answer = ask(clip.store, f"ordinary-{made.__name__}", asked.question)
            known = not answer.startswith("unknown")
            questions, stated, true = questions + 1, stated + known, true + (known and asked.check(answer.lower()))
            if not known or not asked.check(answer.lower()):
                print(f"{'FALSE  ' if known else 'unknown'} {clip.kind}: {asked.question} -> {answer}")
    print(f"{questions} ordinary wordings: {stated} answered, {true} of them true")


if __name__ == "__main__":
    main()
