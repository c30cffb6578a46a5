"""Caption metrics: the values of the COCO toolkit for the same words, and what happens at the edges."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurelia.bench.caption_metrics import CAPTION_METRICS, compute_caption_scores
from aurelia.bench.coco_tokens import coco_tokens
from aurelia_core.errors import InputError

DATA = Path(__file__).parents[1] / "data"

REFERENCES = {
    "a": ["A man plays the guitar on a stage while people clap.", "A guitarist performs and the crowd applauds."],
    "b": ["A dog barks twice, and a car drives past.", "A dog is barking near the road."],
    "c": ["A woman sings a slow song with a piano."],
    "d": [
        "Rain falls on a tin roof; thunder is heard far away.",
        "It rains heavily and there's thunder.",
        "Thunder and rain.",
    ],
}
CANDIDATES = {
    "a": "A man is playing a guitar on stage and people are clapping.",
    "b": "A dog barks and a car drives past.",
    "c": "Someone plays the violin.",
    "d": "Rain falls heavily on the roof with thunder in the distance.",
}


def test_bleu_rouge_and_cider_are_those_of_the_coco_toolkit() -> None:
    # What the Bleu, Rouge and Cider classes of pycocoevalcap 1.2 give for the same tokens.
    toolkit = {"bleu4": 0.20210786687761115, "rouge_l": 0.47792630835865896, "cider": 1.386105055961862}
    corpus = compute_caption_scores(CANDIDATES, REFERENCES).corpus
    assert {name: corpus[name] for name in toolkit} == pytest.approx(toolkit, abs=1e-8)  # type: ignore[index]


@pytest.fixture(scope="module")
def toolkit() -> dict[str, Any]:
    """Captions of our own with what the COCO toolkit made of them: words and scores."""
    found: dict[str, Any] = json.loads((DATA / "coco_captions.json").read_text(encoding="utf-8"))
    return found


def test_the_words_are_those_of_the_coco_toolkit(toolkit: dict[str, Any]) -> None:
    for row in toolkit["captions"].values():
        texts = [row["caption"], *row["references"]]
        assert [" ".join(coco_tokens(text)) for text in texts] == [row["words"], *row["reference_words"]]


def test_the_scores_are_those_of_the_coco_toolkit(toolkit: dict[str, Any]) -> None:
    candidates = {name: row["caption"] for name, row in toolkit["captions"].items()}
    references = {name: row["references"] for name, row in toolkit["captions"].items()}
    corpus = compute_caption_scores(candidates, references).corpus
    stored = toolkit["scores"]
    for metric in ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider"):
        assert corpus[metric] == pytest.approx(stored[metric], abs=1e-6), metric
    # METEOR of NLTK is another metric than METEOR 1.5 (docs/metrics.md), which knows synonyms and weighs words.
    assert corpus["meteor"] == pytest.approx(stored["meteor"], abs=0.12)


def test_meteor_of_a_reference_is_one_and_of_its_stems_less() -> None:
    told = {"a": "The cat sat on the mat.", "b": "the cats sat on the mats", "c": "a plane"}
    meant = {"a": ["the cat sat on the mat"], "b": ["the cat sat on the mat"], "c": ["an aeroplane"]}
    each = {name: scores["meteor"] or 0.0 for name, scores in compute_caption_scores(told, meant).each.items()}
    assert each["a"] == 1.0
    assert 0.3 < each["b"] < 1.0
    assert each["c"] == 0.0


def test_the_corpus_is_the_mean_but_for_bleu() -> None:
    scores = compute_caption_scores(CANDIDATES, REFERENCES)
    for metric in CAPTION_METRICS[1:]:
        assert scores.corpus[metric] == pytest.approx(sum(each[metric] or 0.0 for each in scores.each.values()) / 4)
    assert scores.each["c"]["bleu4"] != scores.corpus["bleu4"]


def test_an_empty_caption_scores_nothing_and_a_single_one_has_no_cider() -> None:
    assert compute_caption_scores({"a": ""}, {"a": ["rain"]}).each == {
        "a": {"bleu4": 0, "rouge_l": 0, "meteor": 0, "cider": None}
    }


@pytest.mark.parametrize("references", [{}, {"a": []}, {"a": ["..."]}])
def test_a_caption_without_a_reference_is_an_error(references: dict[str, list[str]]) -> None:
    with pytest.raises(InputError, match="'a' has no reference"):
        compute_caption_scores({"a": "rain"}, references)


def test_no_captions_at_all_are_an_error() -> None:
    with pytest.raises(InputError, match="no caption"):
        compute_caption_scores({}, {})


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(InputError, match=r"\[captions\]"):
        compute_caption_scores({"a": "rain"}, {"a": ["rain"]})


words = st.lists(st.sampled_from(["a", "dog", "barks", "and", "the", "rain", "far"]), max_size=8).map(" ".join)


@given(
    st.dictionaries(st.sampled_from("abcd"), words, min_size=2), st.lists(words.filter(bool), min_size=1, max_size=3)
)
def test_scores_stay_in_their_ranges(candidates: dict[str, str], references: list[str]) -> None:
    scores = compute_caption_scores(candidates, dict.fromkeys(candidates, references))
    for each in (*scores.each.values(), scores.corpus):
        assert all(
            -1e-9 <= (each[metric] or 0) <= (10 if metric == "cider" else 1) + 1e-9 for metric in CAPTION_METRICS
        )
