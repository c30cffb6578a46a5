"""Which choice an answer names: by rule, or none."""

import pytest

from aurelia_core.answers.multiple_choice import extract_choice_text

ANIMALS = ["a dog", "a cat", "a hot dog"]


@pytest.mark.parametrize(
    ("answer", "choice"),
    [
        ("a cat", "a cat"),
        ("A cat.", "a cat"),
        ("B", "a cat"),
        ("(B)", "a cat"),
        ("B. a cat", "a cat"),
        ("The answer is B.", "a cat"),
        ("Answer: C", "a hot dog"),
        ("It is a cat that is heard.", "a cat"),
        ("It is a hot dog.", "a hot dog"),
        ("A dog barks first.", "a dog"),
        ("1. none 2. nothing Answer: a cat", "a cat"),
        ("A bird sings.", None),
        ("a dog or a cat", None),
        ("unknown", None),
        ("D", None),
        ("", None),
    ],
)
def test_an_answer_names_a_choice_or_none(answer: str, choice: str | None) -> None:
    assert extract_choice_text(answer, ANIMALS) == choice


def test_choices_with_letters_of_their_own() -> None:
    choices = ["A. left", "B. right"]
    assert extract_choice_text("right", choices) == "B. right"
    assert extract_choice_text("A", choices) == "A. left"
    assert extract_choice_text("B. right", choices) == "B. right"
    assert extract_choice_text("on the left", choices) == "A. left"


def test_numbers_are_whole_words() -> None:
    assert extract_choice_text("There are 12 sounds.", ["1", "2", "12"]) == "12"
