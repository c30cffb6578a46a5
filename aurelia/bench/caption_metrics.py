"""BLEU-4, ROUGE-L, METEOR and CIDEr-D of captions, without Java and without downloads (extra `captions`).

BLEU is from sacrebleu, the overlap of ROUGE-L from rouge-score, METEOR (exact words and stems only) from NLTK. CIDEr-D
is implemented here, because there is no such library. docs/metrics.md compares each with the COCO caption toolkit.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal, NamedTuple

from aurelia_core.errors import InputError
from aurelia_core.installation import install_command

CaptionMetric = Literal["bleu4", "rouge_l", "meteor", "cider"]
CAPTION_METRICS: tuple[CaptionMetric, ...] = ("bleu4", "rouge_l", "meteor", "cider")
ROUGE_BETA = 1.2
# The parameters of METEOR 1.5 for English, as in the COCO toolkit; NLTK's defaults are those of 2007.
METEOR_PARAMETERS = {"alpha": 0.85, "beta": 0.2, "gamma": 0.6}
CIDER_ORDERS = 4
CIDER_SIGMA = 6.0
# Punctuation that the COCO toolkit removes after Stanford's PTB tokenizer, in the form of NLTK's Treebank tokenizer.
_PUNCTUATION = frozenset(
    {"''", "'", "``", "`", '"', "(", ")", "{", "}", "[", "]", ".", "?", "!", ",", ":", "-", "--", "...", ";"}
)

Tokens = list[str]


@dataclass(frozen=True, slots=True)
class CaptionScores:
    """The scores of the corpus, and of each caption by its id.

    BLEU-4, ROUGE-L and METEOR lie in 0..1, CIDEr-D in 0..10. BLEU-4 of the corpus is computed over all captions
    together; the other corpus scores are means over captions. CIDEr-D weighs words by their rarity in all references:
    it is None for one caption.
    """

    corpus: dict[CaptionMetric, float | None]
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
    tokenizer = libraries.tokenizer()
    captions: dict[str, Tokens] = {}
    reference_words: dict[str, list[Tokens]] = {}
    for name, text in candidates.items():
        captions[name] = _words(text, tokenizer)
        reference_words[name] = [words for text in references.get(name, ()) if (words := _words(text, tokenizer))]
        if not reference_words[name]:
            raise InputError(f"The caption {name!r} has no reference caption: give at least one.")
    corpus_bleu, bleus = _bleu4(captions, reference_words, libraries.bleu)
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
    corpus: dict[CaptionMetric, float | None] = {}
    for metric in CAPTION_METRICS:
        corpus[metric] = _mean([scores[metric] for scores in each.values()])
    corpus["bleu4"] = corpus_bleu
    return CaptionScores(corpus, each)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return sum(known) / len(known)


class _Libraries(NamedTuple):
    bleu: Any
    rouge: Any
    meteor: Any
    tokenizer: Any


def _libraries() -> _Libraries:
    try:
        from nltk.tokenize import TreebankWordTokenizer
        from nltk.translate.meteor_score import meteor_score
        from rouge_score.rouge_scorer import RougeScorer
        from sacrebleu import BLEU
    except ImportError as fault:
        raise InputError(f"Scoring captions needs {fault.name}: {install_command('captions')}.") from None
    return _Libraries(BLEU, RougeScorer, meteor_score, TreebankWordTokenizer)


def _words(text: str, tokenizer: Any) -> Tokens:
    return [word for word in tokenizer.tokenize(" ".join(text.lower().split())) if word not in _PUNCTUATION]


def _bleu4(
    captions: dict[str, Tokens], references: dict[str, list[Tokens]], bleu: Any
) -> tuple[float, dict[str, float]]:
    """BLEU-4 of the corpus without smoothing, as in the toolkit; of each caption with sacrebleu's smoothing."""
    texts = {name: " ".join(words) for name, words in captions.items()}
    reference_texts = {name: [" ".join(words) for words in several] for name, several in references.items()}
    streams = [list(stream) for stream in zip_longest(*reference_texts.values())]
    whole = bleu(tokenize="none", smooth_method="none", force=True)
    single = bleu(tokenize="none", smooth_method="exp", effective_order=True)
    corpus = whole.corpus_score(list(texts.values()), streams).score / 100
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
