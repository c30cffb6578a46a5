"""BLEU-1..4, ROUGE-L, METEOR and CIDEr-D of captions, without Java and without downloads (extra `captions`).

The words are those of the COCO caption toolkit (`aurelia.bench.coco_tokens`). BLEU is from sacrebleu, the overlap of
ROUGE-L from rouge-score, METEOR (exact words and stems only) from NLTK. CIDEr-D is implemented here: there is no such
library. docs/metrics.md compares each with the toolkit.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal, NamedTuple

from aurelia.bench.coco_tokens import coco_tokens
from aurelia_core.errors import InputError
from aurelia_core.installation import install_command

CaptionMetric = Literal["bleu4", "rouge_l", "meteor", "cider"]
CAPTION_METRICS: tuple[CaptionMetric, ...] = ("bleu4", "rouge_l", "meteor", "cider")
CORPUS_SCORES = "caption_scores"
"""Key of a run's metadata: the scores of all captions together, by arm and rollout ("aurelia/0")."""
CORPUS_METRICS = ("bleu1", "bleu2", "bleu3", *CAPTION_METRICS)
ROUGE_BETA = 1.2
# The parameters of METEOR 1.5 for English, as in the COCO toolkit; NLTK's defaults are those of 2007.
METEOR_PARAMETERS = {"alpha": 0.85, "beta": 0.2, "gamma": 0.6}
BLEU_ORDERS = 4
CIDER_ORDERS = 4
CIDER_SIGMA = 6.0
Tokens = list[str]


@dataclass(frozen=True, slots=True)
class CaptionScores:
    """The scores of the corpus, and of each caption by its id.

    BLEU, ROUGE-L and METEOR lie in 0..1, CIDEr-D in 0..10. The corpus has the metrics of `CORPUS_METRICS`: BLEU-1 to
    BLEU-4 over all captions together, the others as means over captions. CIDEr-D weighs words by their rarity in all
    references: it is None for one caption.
    """

    corpus: dict[str, float | None]
    each: dict[str, dict[CaptionMetric, float | None]]


def compute_caption_scores(candidates: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> CaptionScores:
    """Scores captions against their references.

    Args:
        candidates: Captions by id; an empty caption scores 0.
        references: Reference captions by id, at least one for every candidate; others are ignored.

    Raises:
        InputError: There is no candidate, or a candidate has no reference with a word.
        InputError: The libraries are not installed.
    """
    if not candidates:
        raise InputError("There is no caption to score.")
    libraries = _libraries()
    captions: dict[str, Tokens] = {}
    reference_words: dict[str, list[Tokens]] = {}
    for name, text in candidates.items():
        captions[name] = coco_tokens(text)
        reference_words[name] = [words for text in references.get(name, ()) if (words := coco_tokens(text))]
        if not reference_words[name]:
            raise InputError(f"The caption {name!r} has no reference caption: give at least one.")
    corpus_bleus, bleus = _bleu(captions, reference_words, libraries.bleu)
    rouges = _rouge_l(captions, reference_words, libraries.rouge)
    meteors = _meteor(captions, reference_words, libraries.meteor)
    ciders: dict[str, float] = {}
    if len(captions) > 1:
        ciders = _cider(captions, reference_words)
    each: dict[str, dict[CaptionMetric, float | None]] = {}
    for name in captions:
        each[name] = {
            "bleu4": bleus[name],
            "rouge_l": rouges[name],
            "meteor": meteors[name],
            "cider": ciders.get(name),
        }
    means: dict[str, float | None] = {
        metric: _mean([scores[metric] for scores in each.values()]) for metric in CAPTION_METRICS
    }
    return CaptionScores(dict(means, **corpus_bleus), each)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return sum(known) / len(known)


class _Libraries(NamedTuple):
    bleu: Any
    rouge: Any
    meteor: Any


def _libraries() -> _Libraries:
    try:
        from nltk.translate.meteor_score import meteor_score
        from rouge_score.rouge_scorer import RougeScorer
        from sacrebleu import BLEU
    except ImportError as fault:
        raise InputError(f"Scoring captions needs {fault.name}: {install_command('captions')}.") from None
    return _Libraries(BLEU, RougeScorer, meteor_score)


def _bleu(
    captions: dict[str, Tokens], references: dict[str, list[Tokens]], bleu: Any
) -> tuple[dict[str, float], dict[str, float]]:
    """BLEU-1 to BLEU-4 of the corpus without smoothing, as in the toolkit; BLEU-4 of each caption with smoothing."""
    texts = {name: " ".join(words) for name, words in captions.items()}
    reference_texts = {name: [" ".join(words) for words in several] for name, several in references.items()}
    streams = [list(stream) for stream in zip_longest(*reference_texts.values())]
    whole = bleu(tokenize="none", smooth_method="none", force=True).corpus_score(list(texts.values()), streams)
    single = bleu(tokenize="none", smooth_method="exp", effective_order=True)
    corpus = {}
    for order in range(1, BLEU_ORDERS + 1):
        precisions = [precision / 100 for precision in whole.precisions[:order]]
        corpus[f"bleu{order}"] = float(whole.bp * math.prod(precisions) ** (1 / order))
    each = {name: single.sentence_score(texts[name], reference_texts[name]).score / 100 for name in texts}
    return corpus, each


def _rouge_l(captions: dict[str, Tokens], references: dict[str, list[Tokens]], rouge: Any) -> dict[str, float]:
    """F measure of the best precision and the best recall over the references; recall weighs 1.2 squared."""

    class Split:
        def tokenize(self, text: str) -> Tokens:
            return text.split()

    scorer = rouge(["rougeL"], tokenizer=Split())
    scores = {}
    for name, words in captions.items():
        found = [scorer.score(" ".join(reference), " ".join(words))["rougeL"] for reference in references[name]]
        precision = max(one.precision for one in found)
        recall = max(one.recall for one in found)
        scores[name] = 0.0
        if precision or recall:
            weighted = recall + ROUGE_BETA**2 * precision
            scores[name] = float((1 + ROUGE_BETA**2) * precision * recall / weighted)
    return scores


class _NoSynonyms:
    """Replaces WordNet, which NLTK would download: no word has synonyms."""

    @staticmethod
    def synsets(word: str) -> list[Any]:
        return []


def _meteor(captions: dict[str, Tokens], references: dict[str, list[Tokens]], score: Any) -> dict[str, float]:
    """METEOR with the parameters of version 1.5; as there, a caption equal to a reference scores 1."""
    scores = {}
    for name, words in captions.items():
        if not words:
            scores[name] = 0.0
        elif words in references[name]:
            scores[name] = 1.0
        else:
            scores[name] = float(score(references[name], words, wordnet=_NoSynonyms(), **METEOR_PARAMETERS))
    return scores


def _cider(captions: dict[str, Tokens], references: dict[str, list[Tokens]]) -> dict[str, float]:
    """CIDEr-D (Vedantam et al., 2015): clipped tf-idf cosine of 1- to 4-grams with a penalty for different lengths.

    As in the toolkit, a caption's length is its number of bigrams.
    """
    rarity: Counter[tuple[str, ...]] = Counter()
    for several in references.values():
        rarity.update(set().union(*map(_grams, several)))
    total = math.log(len(captions))

    def weighed(words: Tokens) -> tuple[list[dict[tuple[str, ...], float]], int]:
        orders: list[dict[tuple[str, ...], float]] = [{} for _ in range(CIDER_ORDERS)]
        for gram, count in _grams(words).items():
            orders[len(gram) - 1][gram] = count * (total - math.log(max(1, rarity[gram])))
        return orders, max(0, len(words) - 1)

    scores = {}
    for name, words in captions.items():
        candidate, length = weighed(words)
        likeness = 0.0
        for reference, other in map(weighed, references[name]):
            penalty = math.exp(-((length - other) ** 2) / (2 * CIDER_SIGMA**2))
            likeness += penalty * sum(map(_cosine, candidate, reference)) / CIDER_ORDERS
        scores[name] = 10 * likeness / len(references[name])
    return scores


def _grams(words: Tokens) -> Counter[tuple[str, ...]]:
    grams: Counter[tuple[str, ...]] = Counter()
    for order in range(1, CIDER_ORDERS + 1):
        grams.update(tuple(words[start : start + order]) for start in range(len(words) - order + 1))
    return grams


def _cosine(candidate: dict[tuple[str, ...], float], reference: dict[tuple[str, ...], float]) -> float:
    norm = math.hypot(*candidate.values()) * math.hypot(*reference.values())
    if not norm:
        return 0.0
    shared = 0.0
    for gram, weight in candidate.items():
        other = reference.get(gram, 0.0)
        shared += min(weight, other) * other
    return shared / norm
