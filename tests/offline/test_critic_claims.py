import pytest

from aurelia_offline.critic.caption_parser import parse_caption
from aurelia_offline.critic.caption_text import CLIP_END, normalize_caption, read_times
from aurelia_offline.critic.claims import Detail

SUMMARY = (
    "Three sounds are heard: a loud tone of about 440 Hz from 1.0 s to 1.6 s, then a soft noise from 2.2 s to 2.6 s, "
    "and a click at 3.0 s."
)


def claims(text: str, kind: str) -> list[Detail]:
    return [claim for claim in parse_caption(text).claims if claim.kind == kind]


def test_a_list_of_sounds_is_counted_described_and_ordered() -> None:
    (count,) = claims(SUMMARY, "sound_count")
    assert count.number == 3
    tone, noise, click = (claim.about for claim in claims(SUMMARY, "sound"))
    assert (tone.pitch, tone.level, tone.spans, tone.voices) == (440.0, "loud", ((1.0, 1.6),), {"tone"})
    assert (noise.level, noise.spans, noise.voices) == ("soft", ((2.2, 2.6),), {"noise"})
    assert (click.spans, click.voices) == (((3.0, None),), {"click"})
    (order,) = claims(SUMMARY, "order")
    assert order.about == tone and order.other == noise


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("from 1.0 s to 1.6 s", ((1.0, 1.6),)),
        ("between 2 and 3.5 seconds", ((2.0, 3.5),)),
        ("at around 4 sec", ((4.0, None),)),
        ("at the 2 second mark", ((2.0, None),)),
        ("at 0:03", ((3.0, None),)),
        ("1.0-1.6 s", ((1.0, 1.6),)),
        ("from 3.1 s onwards", ((3.1, CLIP_END),)),
        ("until 2 s", ((0.0, 2.0),)),
        ("at 1.0 s, 2.0 s and 3.0 s", ((1.0, None), (2.0, None), (3.0, None))),
        ("three loud sounds at 440 Hz", ()),
    ],
)
def test_times_are_read_however_they_are_written(text: str, spans: tuple[tuple[float, float | None], ...]) -> None:
    assert read_times(normalize_caption(text)) == spans


@pytest.mark.parametrize(
    ("text", "kind", "negated", "number"),
    [
        ("There are no cuts.", "cut", True, None),
        ("It is one continuous shot.", "cut", True, None),
        ("The picture cuts twice.", "cut", False, 2),
        ("The clip is silent.", "silence", False, None),
        ("There is no sound.", "sound", True, None),
        ("Nothing moves.", "motion", True, None),
        ("The red circle stays still.", "motion", True, None),
        ("Two shapes move.", "motion_count", False, 2),
        ("The beat is about 120 beats per minute.", "tempo", False, 120),
        ("The motion and the sound coincide.", "sync", False, None),
        ("The motion and the sound are out of sync.", "sync", True, None),
        ("The clip lasts 6 seconds.", "duration", False, 6),
        ("The background is black.", "background", False, None),
    ],
)
def test_each_kind_of_statement_is_read(text: str, kind: str, negated: bool, number: float | None) -> None:
    (claim,) = parse_caption(text).claims
    assert (claim.kind, claim.negated, claim.number) == (kind, negated, number)


def test_a_prefix_belongs_to_the_clause_that_follows() -> None:
    (moved,) = claims("On the right, something blue bounces between 2.0 and 2.5 seconds.", "motion")
    assert (moved.about.places, moved.about.colours, moved.about.spans) == (("right",), ("blue",), ((2.0, 2.5),))


def test_while_says_that_two_things_are_at_one_time() -> None:
    (both,) = claims("A red shape moves while a beep is heard.", "sync")
    assert both.about.topic == "motion" and both.other is not None and both.other.topic == "sound"


def test_comparisons_name_both_sides() -> None:
    (claim,) = claims("The first sound is louder than the second.", "compare")
    assert claim.word == "loudest"
    assert claim.other is not None and (claim.about.rank, claim.other.rank) == ("first", "second")


def test_silence_until_a_sound_ends_where_the_sound_starts() -> None:
    (quiet,) = claims("The clip is silent until a tone starts at 2.8 s.", "silence")
    assert quiet.about.spans == ((0.0, 2.8),)


def test_names_of_objects_and_feelings_are_set_aside_and_counted() -> None:
    found = parse_caption("A woman smiles at her dog. They are happy.")
    assert (found.claims, found.unchecked) == ((), 2)


@pytest.mark.parametrize("text", ["", " ", "...", "1", "at s", "then then, and:", "\n\n;", "no", "é—–’"])
def test_no_text_makes_it_fail(text: str) -> None:
    assert parse_caption(text).unchecked >= 0


@pytest.mark.parametrize(
    "text",
    ["A tone sounds from second 1.5 to second 2.", "A tone is heard from 1.5 s to 2 s.", "1.5 s to 2 s: a tone."],
)
def test_times_may_name_the_second_first(text: str) -> None:
    (claim,) = parse_caption(text).claims
    assert claim.about.spans == ((1.5, 2.0),)


def test_a_clause_without_a_verb_goes_on_with_the_motion_before_it() -> None:
    claims = parse_caption("A red circle moves at the left, then a blue one at the right.").claims
    moving = [claim.about.colours for claim in claims if claim.kind == "motion"]
    assert moving == [("red",), ("blue",)]
    still = parse_caption("A red circle moves at the left and there is a blue one at the right.").claims
    assert [claim.about.colours for claim in still if claim.kind == "motion"] == [("red",)]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("A red shape moves to the right from 1.0 s to 1.6 s.", ()),
        ("A red shape moves from 1.0 s to 1.6 s towards the green shape.", ()),
        ("A red shape moves up and then to the left from 1.0 s to 1.6 s.", ()),
        ("A red shape moves up and down at the left from 1.0 s to 1.6 s.", ("left",)),
    ],
)
def test_the_direction_of_a_movement_is_set_aside(text: str, places: tuple[str, ...]) -> None:
    parsed = parse_caption(text)
    (claim,) = parsed.claims
    assert (claim.kind, claim.about.places, claim.about.colours) == ("motion", places, ("red",))
    assert (claim.about.spans, parsed.unchecked) == (((1.0, 1.6),), 1)


def test_a_denied_direction_is_not_a_denied_movement() -> None:
    parsed = parse_caption("The red shape does not move to the right.")
    assert (parsed.claims, parsed.unchecked) == ((), 1)


@pytest.mark.parametrize("where", ["at the right", "on the right", "in the right half"])
def test_a_place_is_no_direction(where: str) -> None:
    parsed = parse_caption(f"A red shape moves {where}.")
    assert (parsed.claims[0].about.places, parsed.unchecked) == (("right",), 0)
