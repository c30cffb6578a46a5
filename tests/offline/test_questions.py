"""Questions in ordinary words about clips whose measurements are given by hand: understanding and answering."""

from dataclasses import replace
from math import inf

import pytest

from aurelia_core.signals.observation import AudiovisualSync, ColourShare, DetectedSound, Observation
from aurelia_core.signals.whole_clip import WholeClip
from aurelia_offline.answering.coverage import find_uncovered
from aurelia_offline.questions.directions import asks_direction
from aurelia_offline.questions.lexicon import known_phrases
from aurelia_offline.questions.question import parse_question
from tests.support.observed_clips import BEAT, CUT, DUET, MUTE, motion, observed, sound
from tests.support.offline_roles import generate_reasoning

DUET_QUESTIONS = [
    ("How many sounds are there in the clip?", [], "3"),
    ("How many times does something make a sound?", [], "3"),
    ("How many beeps can be heard?", [], "2"),
    ("What colour is the shape that moves when the loudest sound plays?", [], "green"),
    ("When the loudest sound plays, what moves?", ["red", "green", "yellow"], "green"),
    ("Where does the thing move while the highest sound is heard?", ["left", "right", "centre"], "right"),
    ("Which is louder, the first or the second sound?", [], "second"),
    ("Is the first sound louder than the last one?", [], "yes"),
    ("Does the tone come before the noise?", [], "yes"),
    ("Does the hiss come before or after the first beep?", ["before", "after"], "after"),
    ("Which sound comes first, the tone or the noise?", ["the tone", "the noise"], "the tone"),
    ("Which shape never moves?", [], "yellow"),
    ("What colour stays still the whole time?", ["red", "green", "yellow"], "yellow"),
    ("Is there any silence in the clip?", [], "yes"),
    ("How long does the first sound last?", ["0.2 seconds", "0.6 seconds", "1.5 seconds"], "0.6 seconds"),
    ("How long is the clip?", [], "6.0"),
    ("Does the video have an audio track?", [], "yes"),
    ("At what time does the second sound start?", ["1.0 s", "2.5 s", "4.0 s"], "2.5 s"),
    ("What kind of sound is the loudest one?", ["tone", "noise", "click"], "tone"),
    ("Is the loudest sound a noise?", [], "no"),
    ("Is the loudest sound also the highest?", [], "yes"),
    ("What colour is the background?", [], "black"),
    ("Is the background blue?", [], "no"),
    ("How many scene changes are there?", [], "0"),
    ("When does the flash happen?", [], "5.3"),
    ("Is there a flash before the first sound?", [], "no"),
    ("How many sounds come after the flash?", [], "0"),
    ("Are there more than three sounds?", [], "no"),
    ("Is the clip longer than five seconds?", [], "yes"),
    ("What is the dog doing?", [], "unknown"),
    ("Who is speaking?", ["a man", "a woman"], "unknown"),
    ("What does the red shape do when the click is heard?", [], "unknown"),
    ("Does the red thing move when the first sound plays?", [], "yes"),
    ("Which shape moves first?", [], "red"),
    ("what moves last", [], "red"),
    ("What is the first thing you hear?", ["a tone", "a noise", "a click"], "a tone"),
    ("Is anything moving on the right?", [], "yes"),
    ("Does the red circle ever move?", [], "yes"),
    ("Does the yellow shape never move?", [], "yes"),
    ("On which side of the screen does the movement happen at the third sound?", [], "left"),
    ("Which of the sounds is the highest?", ["the first", "the second", "the third"], "the second"),
    ("Which moves more often, the red shape or the green shape?", [], "red"),
    ("How many times does the red shape move?", [], "2"),
    ("How many different shapes move?", [], "2"),
    ("Between 2 and 5 seconds, how many sounds are heard?", [], "2"),
    ("Is the shape that moves with the lowest sound red?", [], "yes"),
    ("Which side does the green thing move on?", ["A. left", "B. right", "C. centre"], "B. right"),
    ("What sound is heard when the red thing moves for the second time?", ["tone", "noise", "click"], "noise"),
    ("Is every sound accompanied by a movement?", [], "yes"),
    ("In what order do the sounds come?", ["tone then noise", "noise then tone"], "tone then noise"),
    ("What was the lodest sound?", ["tone", "noise"], "tone"),
    ("Is the second sound higher than the first?", [], "yes"),
    ("Are the sound and the movement in sync?", [], "yes"),
    ("Do the moving things move in step with the sounds?", [], "yes"),
    (
        "Could you please say which colour the object has that moves together with the quietest sound?",
        ["red", "green", "yellow"],
        "red",
    ),
    ("Is there a cut in this video?", [], "no"),
    ("How much time passes between the start of the first and the second sound?", [], "1.5"),
    ("Which two colours move?", [], "red and green"),
    ("What is the softest sound?", ["tone", "noise", "click"], "noise"),
    ("Is the highest-pitched sound on the left or on the right?", ["left", "right"], "unknown"),
    ("Does something move on the left or on the right at the highest-pitched sound?", ["left", "right"], "right"),
    ("Does the green object move after the red object?", [], "yes"),
    ("What colour is the thing on the left?", [], "red"),
    ("Which colour is on the right?", [], "green"),
    ("What is in the middle of the picture that does not move?", [], "yellow"),
    ("Tell me the frequency of the first tone.", [], "440"),
    ("Is the third sound the softest of all?", [], "yes"),
    ("Do any two sounds overlap?", [], "no"),
    ("After which sound does the flash occur?", ["first", "second", "third"], "third"),
    ("Does the flash come after all the sounds?", [], "yes"),
    ("How many tones come before the noise?", [], "2"),
    ("In the first two seconds, how many sounds are heard?", [], "1"),
    ("Is sound heard whenever something moves?", [], "yes"),
    ("What moves while no sound is heard?", ["red", "green", "nothing"], "nothing"),
    ("How many distinct colours move?", [], "2"),
    ("Does the red thing move more than once?", [], "yes"),
    ("What is the colour of the object moving at 2.7 seconds?", [], "green"),
    ("What is happening at 4.2 seconds?", [], "noise"),
    ("Does the pitch of the tones go up or down?", ["up", "down"], "up"),
    ("Which sound lasts the shortest?", ["tone", "noise"], "noise"),
    ("Is the flute louder than the drum?", [], "unknown"),
    ("What is the person on the left saying?", [], "unknown"),
    ("Which country is this?", [], "unknown"),
    ("What does the melody remind you of?", [], "unknown"),
    ("Is the zebra running?", [], "unknown"),
    ("Is the music sad?", [], "unknown"),
    ("What is 2 plus 2?", [], "unknown"),
    ("How many frames per second does the video have?", [], "unknown"),
    ("What is the resolution of the video?", [], "unknown"),
    ("How tall is the red shape?", [], "unknown"),
    ("Which direction does the red shape move in?", [], "unknown"),
    ("Is the video in black and white?", [], "unknown"),
]
CUT_QUESTIONS = [
    ("How many sounds?", [], "4"),
    ("How many clicks are there?", [], "1"),
    (
        "Which sound is the loudest: the first, second, third or fourth?",
        ["first", "second", "third", "fourth"],
        "third",
    ),
    ("Which sound has no movement with it?", ["first", "second", "third", "fourth"], "third"),
    ("What colour is the thing that moves?", [], "blue"),
    ("Where is it moving?", [], "top right"),
    ("How many cuts are there?", [], "1"),
    ("When is the cut?", [], "2.5"),
    ("How many sounds come before the cut?", [], "2"),
    ("What is the last sound: a tone, a noise or a click?", ["a tone", "a noise", "a click"], "a noise"),
    ("What sound comes right after the cut?", ["tone", "noise", "click"], "tone"),
    ("Is the sound after the click a tone?", [], "yes"),
    ("Which tone is higher, the first or the second?", ["first", "second"], "first"),
    ("Is the first sound quieter than the third?", [], "yes"),
    ("How many times does the blue square jump?", [], "3"),
    ("What's the pitch of the lowest sound?", ["220 Hz", "330 Hz", "880 Hz"], "330 Hz"),
    ("Does the background change?", [], "yes"),
    ("How many movements occur in the first half of the video?", [], "2"),
    ("Which comes first, the cut or the click?", [], "click"),
    ("Is the video mute?", [], "no"),
    ("Is there a white flash?", [], "no"),
    ("Is the noise shorter than the click?", [], "no"),
    ("Is the last movement accompanied by a tone?", [], "no"),
    ("Is the last movement accompanied by a noise?", [], "yes"),
    ("Does the object move when the lowest tone is heard?", [], "no"),
    ("What sound can be heard as the blue shape moves for the first time?", ["tone", "noise", "click"], "tone"),
    ("Are there as many movements as sounds?", [], "no"),
    ("Which sound occurs without any motion?", ["first", "second", "third", "fourth"], "third"),
    ("What is the second highest tone?", [], "330"),
]
MUTE_QUESTIONS = [
    ("Does the clip have any sound?", [], "no"),
    ("Is the clip silent?", [], "yes"),
    ("Does anything move?", [], "no"),
    ("How many sounds can you hear?", [], "0"),
    ("What colour is the loudest thing?", [], "unknown"),
    ("Does the yellow circle move?", [], "no"),
]
BEAT_QUESTIONS = [
    ("What is the tempo?", ["about 60 bpm", "about 90 bpm", "about 120 bpm"], "about 120 bpm"),
    ("How many clicks?", [], "8"),
    ("Is the beat steady?", [], "yes"),
    ("Is the tempo faster than 100 bpm?", [], "yes"),
    ("How many beats per minute is the rhythm?", [], "120"),
    ("Are motion and sound synchronised?", [], "yes"),
    ("Is the picture out of sync with the sound?", [], "no"),
    ("How often does the white shape bounce?", [], "8"),
    ("Are all sounds the same kind?", [], "yes"),
    ("Do the clicks get louder?", [], "no"),
    ("Is this rhythm slow or fast?", [], "unknown"),
    ("At what rate do the clicks come?", [], "120"),
    ("What is the time between two clicks?", [], "0.5"),
    ("When does the first click occur?", ["0.5 s", "1.5 s", "2.5 s"], "0.5 s"),
    ("What kind of sounds are these?", ["tones", "noises", "clicks"], "clicks"),
    ("Does the sound lag behind the picture?", [], "no"),
]


DUET_QUESTIONS += [
    ("Is the second sound louder or quieter than the first?", ["louder", "quieter"], "louder"),
    ("Is the second tone higher or lower than the first?", [], "higher"),
    ("Is the hiss longer or shorter than the first beep?", ["longer", "shorter"], "shorter"),
    ("Of the first and the second sound, which is louder?", ["the first", "the second"], "the second"),
    ("Which is the quieter of the two tones?", ["the first", "the second"], "the first"),
    ("How many sounds are louder than the first one?", ["1", "2"], "unknown"),
    ("How many shapes are in the picture?", ["2", "3"], "unknown"),
    ("Which colour isn't moving?", ["red", "green", "yellow"], "yellow"),
    ("Does the video begin with a sound?", ["yes", "no"], "no"),
    ("Is the second half louder than the first half?", [], "no"),
    ("Is the second half of the clip quieter than the first?", [], "yes"),
    ("Does the clip start with silence?", ["yes", "no"], "yes"),
    ("How many seconds of silence are there?", ["1 s", "4.3 s"], "4.3 s"),
]


def answer_of(question: str, choices: list[str], seen: Observation) -> str:
    return generate_reasoning({"question": question, "choices": choices}, seen)["answer"]


@pytest.mark.parametrize(
    ("question", "choices", "expected", "seen"),
    [
        (*row, seen)
        for rows, seen in ((DUET_QUESTIONS, DUET), (CUT_QUESTIONS, CUT), (MUTE_QUESTIONS, MUTE), (BEAT_QUESTIONS, BEAT))
        for row in rows
    ],
)
def test_an_ordinary_question_gets_the_measured_answer(
    question: str, choices: list[str], expected: str, seen: Observation
) -> None:
    answer = answer_of(question, choices, seen)
    if choices or expected == "unknown":
        assert answer.split(":")[0] == expected
    else:
        assert expected in answer


@pytest.mark.parametrize(
    "question",
    [
        "What is the woman wearing?",
        "Which city is shown?",
        "Why does the noise start?",
        "Is the speaker angry?",
        "What brand is the phone?",
        "Which zorblax is louder?",
        "What shape is the red thing?",
        "Is there sound throughout the clip?",
        "How much of the clip is silent?",
        "Are the sounds getting shorter?",
        "Are the sounds equally loud?",
        "Does the pitch rise between the first and the last sound?",
        "Is the tempo between 100 and 140 BPM?",
        "",
    ],
)
def test_what_measuring_cannot_know_is_refused_with_the_reason(question: str) -> None:
    query = parse_question(question, ["a", "b"])
    assert query.ask == "unknowable"
    assert len(query.reason.split()) > 5
    assert answer_of(question, ["one", "two"], DUET) == "unknown"


@pytest.mark.parametrize(
    "question",
    [
        "Does the red shape move to the right?",
        "What moves to the left?",
        "Does the blue shape move up?",
        "Does the blue shape move down?",
        "Does the blue shape move upwards?",
        "Does the blue shape move downwards?",
        "Does the red shape not move to the right?",
        "Does anything move from left to right?",
        "Does the red circle go up?",
        "Is the red shape moving towards the centre?",
        "Does the red shape move slowly to the right side of the screen?",
        "What colour is the shape that moves to the right?",
        "Which way does the red shape move?",
        "Where does the red shape move to?",
    ],
)
def test_the_direction_of_a_movement_is_not_measured(question: str) -> None:
    assert parse_question(question, []).reason.startswith("the direction of a movement is not measured")
    assert answer_of(question, [], DUET) == answer_of(question, ["yes", "no"], DUET) == "unknown"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Does the red shape move at the right?", "no"),
        ("Does the red shape move at the left?", "yes"),
        ("What colour moves on the left?", "red"),
        ("Does the green shape move in the right half?", "yes"),
    ],
)
def test_the_place_of_a_movement_is_no_direction(question: str, expected: str) -> None:
    assert answer_of(question, [], DUET) == expected


@pytest.mark.parametrize(
    "question",
    [
        "Does the red shape move right after the first sound?",
        "Does the red shape move up to three times?",
        "Does the shape to the right move?",
        "Does the red shape move to the left of the green shape?",
        "Do the tones go up or down?",
        "What moves to the beat?",
    ],
)
def test_other_meanings_of_right_and_up_are_no_direction(question: str) -> None:
    assert not asks_direction(question)


@pytest.mark.parametrize("kind", ["rank", "comp", "ordinal", "trend", "bound", "rel", "same"])
def test_every_listed_phrase_is_survived_in_any_place(kind: str) -> None:
    listed = [" ".join(phrase) for phrase, (of, _) in known_phrases().items() if of == kind]
    assert len(listed) > 5
    for phrase in listed:
        for question in (f"Which {phrase} sound?", f"{phrase} the tone", f"Does the red shape {phrase} 2 silent?"):
            for seen in (DUET, MUTE):
                assert generate_reasoning({"question": question, "choices": []}, seen)["answer"]


def test_two_equal_sounds_are_not_told_apart() -> None:
    sounds = (sound(1.0, 1.5, -20.0, "tone", 440.0), sound(2.0, 2.5, -20.2, "tone", 220.0))
    seen = observed(4.0, sounds=sounds, silences=((0.0, 1.0), (1.5, 2.0), (2.5, 4.0)))
    assert answer_of("Which sound is the loudest?", ["the first", "the second"], seen) == "unknown"
    assert answer_of("Which sound is the highest?", ["the first", "the second"], seen) == "the first"


def test_an_answer_between_the_choices_is_unknown() -> None:
    assert answer_of("How long does the first sound last?", ["0.1 s", "1.5 s"], DUET) == "unknown"
    assert answer_of("How many sounds are there?", ["2", "4", "5"], DUET) == "unknown"
    assert answer_of("How many sounds are there?", ["fewer than 3", "3 or more"], DUET) == "3 or more"
    assert answer_of("How many sounds are there?", ["1-2", "3-5", "6-9"], DUET) == "3-5"


def test_one_among_the_choices_of_a_count_is_a_number() -> None:
    seen = observed(4.0, sounds=(sound(1.0, 1.5, -20.0, "tone", 440.0),), silences=((0.0, 1.0), (1.5, 4.0)))
    for choices in (["one", "two", "three"], ["Just one sound", "none", "two sounds"], ["A. One", "B. 21"]):
        assert answer_of("How many sounds are heard?", choices, seen) == choices[0]
    assert answer_of("How many sounds are heard?", ["one", "two"], DUET) == "unknown"


def test_the_background_before_a_cut_needs_a_look_on_that_side() -> None:
    before = observed(5.0, video_spans=((0.0, 2.4),), colours=(ColourShare("white", 0.9, True),))
    fields = {"question": "What is the background before the cut?", "choices": ["white", "grey"]}
    assert generate_reasoning(fields, CUT)["answer"] == "unknown"
    assert "between 0.0 s and 2.5 s" in generate_reasoning(fields, CUT)["steps"][-1]["justification"]
    assert generate_reasoning(fields, CUT, pieces=[CUT, before])["answer"] == "white"


def test_candidate_tracks_are_told_apart_by_their_coincidence_with_the_motion() -> None:
    tracks = [("A", observed(6.0, sync=AudiovisualSync(0.4, 0.3))), ("B", DUET)]
    fields = {"question": "Which audio fits the movement?", "choices": ["Audio A", "Audio B"]}
    assert generate_reasoning(fields, DUET, tracks=tracks)["answer"] == "Audio B"
    equal = [("A", DUET), ("B", DUET)]
    assert generate_reasoning(fields, DUET, tracks=equal)["answer"] == "unknown"


def test_steps_do_not_tell_the_answer_and_name_the_stretches() -> None:
    fields = {"question": "What colour moves with the loudest sound?", "choices": ["red", "green"]}
    reasoning = generate_reasoning(fields, DUET)
    text = " ".join(step["step"] for step in reasoning["steps"])
    assert reasoning["answer"] == "green"
    assert 3 <= len(reasoning["steps"]) <= 6
    assert "green" not in text and "red" not in text.replace("heard", "").replace("measured", "")
    assert "between 2.2 s and 3.4 s" in text
    assert {step["modality"] for step in reasoning["steps"]} == {"audio", "visual"} | {"both"}


def test_single_sounds_of_an_ongoing_sound_are_not_counted() -> None:
    seen = observed(6.0, sounds=(sound(1.0, 1.5, -20.0, "tone", 440.0), sound(3.0, 3.5, -26.0, "tone", 220.0)))
    assert answer_of("How many sounds are there?", ["1", "2"], seen) == "unknown"
    assert answer_of("Is the loudest sound a tone?", ["yes", "no"], seen) == "yes"
    told = generate_reasoning({"question": "Is there a cut?", "choices": []}, seen)["steps"][0]["answer"]
    assert told.startswith("Sound is heard throughout. The loudest sound is a tone of about 440 Hz")


def test_a_coarse_look_says_what_it_could_not_hear() -> None:
    coarse = observed(30.0, sample_rate=1600, frame_gap=2.0, silences=((0.0, 30.0),))
    steps = generate_reasoning({"question": "How many sounds are there?", "choices": []}, coarse)["steps"]
    assert "nothing above 800 Hz could be heard" in steps[-1]["justification"]


def test_the_reason_names_a_missed_sound_after_the_end_of_the_picture() -> None:
    late = sound(4.05, 4.6, -20.0, "tone", 440.0)
    heard = (sound(1.0, 1.6, -20.0, "tone", 440.0),)
    silences = ((0.0, 1.0), (1.6, 4.05))
    whole = WholeClip(observed(3.2, audio_spans=((0.0, 5.0),), sounds=(*heard, late), silences=silences), True)
    found = find_uncovered(
        parse_question("How many sounds are heard?", []), observed(3.2, sounds=heard, silences=silences), whole
    )
    assert found is not None and found.cue.endswith("there is more to hear between 3.8 s and 4.8 s")


@pytest.mark.parametrize(
    ("question", "choices", "answer"),
    [
        ("What colours are shown?", [], "black, red, green and yellow"),
        ("What is the dominant colour?", [], "black"),
        ("What colours are shown?", ["black", "red"], "unknown"),
        ("What colours move?", [], "red and green"),
        ("Which colours are seen when the loudest sound plays?", [], "green"),
    ],
)
def test_the_colours_of_the_picture_are_those_that_it_shows(question: str, choices: list[str], answer: str) -> None:
    assert answer_of(question, choices, DUET) == answer


@pytest.mark.parametrize(
    ("heard", "answer"),
    [
        ((sound(0.0, 0.2, -20, "tone", 2100.0), sound(0.5, 0.7, -20, "tone", 2100.0)), "high beeps"),
        ((sound(0.0, 4.0, -20, "tone", 110.0),), "a low hum"),
        ((sound(0.0, 4.0, -20, "tone", 500.0),), "unknown"),
        ((sound(0.0, 4.0, -20, "noise"),), "a hiss"),
        ((), "nothing, it is silent"),
    ],
)
def test_a_sound_is_chosen_by_its_kind_and_height(heard: tuple[DetectedSound, ...], answer: str) -> None:
    seen = observed(4.0, sounds=heard, silences=() if heard else ((0.0, 4.0),))
    choices = ["high beeps", "a low hum", "a hiss", "nothing, it is silent"]
    assert answer_of("What is heard in this clip?", choices, seen) == answer


def test_what_is_stated_of_a_whole_clip_holds_for_all_of_it() -> None:
    steady = observed(6.0, sounds=(sound(0.0, 6.0, -20, "noise"),))
    for question in ("Is the second half louder than the first half?", "When is it loudest?"):
        assert answer_of(question, [], steady).startswith("unknown")
    mute = observed(6.0, has_audio=False, audio_spans=())
    assert answer_of("Is there any silence in the clip?", [], mute) == "yes"
    faded = observed(6.0, fades_to_black=((4.5, 6.0),), colours=(ColourShare("grey", 0.8, True),))
    assert answer_of("What colour is the picture at the end?", [], faded) == "black"


def test_a_single_picture_has_no_infinite_spacing_of_frames() -> None:
    seen = observed(3.0, frame_gap=inf, colours=(ColourShare("red", 0.5, True), ColourShare("blue", 0.4, False)))
    for question in ("What colour is the red shape?", "How many shapes move?", "Is there a cut?", "Where is it?"):
        told = str(generate_reasoning({"question": question, "choices": []}, seen)["steps"])
        assert "inf s" not in told and "shows no movement" in told


@pytest.mark.parametrize("question", ["Do two shapes move at the same time?", "Do both shapes move simultaneously?"])
def test_two_at_the_same_time_is_no_count(question: str) -> None:
    apart = replace(DUET, motions=DUET.motions[:2])
    at_once = replace(DUET, motions=(*DUET.motions, motion(1.2, 1.9, 0.8, "green")))
    assert [answer_of(question, [], seen) for seen in (apart, at_once, DUET)] == ["no", "yes", "no"]


@pytest.mark.parametrize(
    "question",
    [
        "Do three shapes move at the same time?",
        "Do at least two shapes move at the same time?",
        "Do all shapes move at once?",
        "How many shapes move at the same time?",
    ],
)
def test_what_happens_at_one_time_is_not_counted(question: str) -> None:
    assert "at one time is not counted" in parse_question(question, []).reason
