"""BLEU-4, ROUGE-L, METEOR and CIDEr-D of captions, without Java and without downloads (extra `captions`).

BLEU is sacrebleu's, the overlap under ROUGE-L is rouge-score's, METEOR is NLTK's, exact words and stems only; CIDEr-D,
for which there is no such library, is here. It neither asks models nor reads records; docs/metrics.md compares each
with the COCO caption toolkit.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from aurelia_core.errors import InputError

CaptionMetric = Literal["bleu4", "rouge_l", "meteor", "cider"]
CAPTION_METRICS: tuple[CaptionMetric, ...] = ("bleu4", "rouge_l", "meteor", "cider")
ROUGE_BETA = 1.2
# Those of METEOR 1.5 for English, which the COCO toolkit runs; NLTK's own defaults are of 2007.
METEOR_PARAMETERS = {"alpha": 0.85, "beta": 0.2, "gamma": 0.6}
CIDER_ORDERS = 4
CIDER_SIGMA = 6.0
# The marks that the COCO toolkit drops after Stanford's PTB tokenizer, as NLTK's Treebank tokenizer writes them.
_PUNCTUATION = frozenset(
    {"''", "'", "``", "`", '"', "(", ")", "{", "}", "[", "]", ".", "?", "!", ",", ":", "-", "--", "...", ";"}
)

Tokens = list[str]


@dataclass(frozen=True, slots=True)
class CaptionScores:
    """The scores of all captions together, and of each by its id.

    BLEU-4, ROUGE-L and METEOR lie in 0..1, CIDEr-D in 0..10. All but BLEU-4 are the means of the single ones; BLEU-4 is
    the corpus's own. CIDEr-D weighs words by how rare they are among all references: for a single caption it is None.
    """

    corpus: dict[CaptionMetric, float | None]
    each: dict[str, dict[CaptionMetric, float | None]]


def compute_caption_scores(candidates: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> CaptionScores:
    """Scores captions against their references.

    Args:
        candidates: a caption by id; an empty one scores 0.
        references: one or several reference captions by id, at least for every candidate; further ones are not used.

    Raises:
        InputError: there is no candidate, or one without a reference that holds a word.
        InputError: the libraries are not installed.
    """
    libraries = _libraries()
    tokenizer = libraries.tokenizer()
    said = {name: _words(text, tokenizer) for name, text in candidates.items()}
    meant = {name: [words for text in references.get(name, ()) if (words := _words(text, tokenizer))] for name in said}
    if not said:
        raise InputError("There is no caption to score.")
    if lacking := [name for name, refs in meant.items() if not refs]:
        raise InputError(f"The caption {lacking[0]!r} has no reference caption: give at least one.")
    corpus_bleu, bleus = _bleu4(said, meant, libraries.bleu)
    rouges, ciders = _rouge_l(said, meant, libraries.rouge), _cider(said, meant)
    meteors = _meteor(said, meant, libraries.meteor)
    each: dict[str, dict[CaptionMetric, float | None]] = {
        name: {
            "bleu4": bleus[name],
            "rouge_l": rouges[name],
            "meteor": meteors[name],
            "cider": ciders[name] if len(said) > 1 else None,
        }
        for name in said
    }
    corpus: dict[CaptionMetric, float | None] = {
        metric: _mean([scores[metric] for scores in each.values()]) for metric in CAPTION_METRICS
    }
    return CaptionScores({**corpus, "bleu4": corpus_bleu}, each)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


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
        raise InputError(f"Scoring captions needs {fault.name}: pip install -e '.[captions]'.") from None
    return _Libraries(BLEU, RougeScorer, meteor_score, TreebankWordTokenizer)


def _words(text: str, tokenizer: Any) -> Tokens:
    return [word for word in tokenizer.tokenize(" ".join(text.lower().split())) if word not in _PUNCTUATION]


def _bleu4(said: dict[str, Tokens], meant: dict[str, list[Tokens]], bleu: Any) -> tuple[float, dict[str, float]]:
    """BLEU-4 of the corpus without smoothing, as in the toolkit; of each caption with sacrebleu's smoothing."""
    most = max(len(refs) for refs in meant.values())
    texts = {name: [" ".join(words) for words in refs] for name, refs in meant.items()}
    streams = [[texts[name][at] if at < len(texts[name]) else None for name in said] for at in range(most)]
    whole = bleu(tokenize="none", smooth_method="none", force=True)
    single = bleu(tokenize="none", smooth_method="exp", effective_order=True)
    corpus = whole.corpus_score([" ".join(words) for words in said.values()], streams).score / 100
    return corpus, {name: single.sentence_score(" ".join(said[name]), texts[name]).score / 100 for name in said}


def _rouge_l(said: dict[str, Tokens], meant: dict[str, list[Tokens]], rouge: Any) -> dict[str, float]:
    """The F measure of the best precision and the best recall over the references, recall weighing 1.2 squared."""

    class Split:
        def tokenize(self, text: str) -> Tokens:
            return text.split()

    scorer = rouge(["rougeL"], tokenizer=Split())
    scores = {}
    for name, words in said.items():
        found = [scorer.score(" ".join(reference), " ".join(words))["rougeL"] for reference in meant[name]]
        precision, recall = max(one.precision for one in found), max(one.recall for one in found)
        below = recall + ROUGE_BETA**2 * precision
        scores[name] = float((1 + ROUGE_BETA**2) * precision * recall / below) if below else 0.0
    return scores


class _NoSynonyms:
    """Stands where NLTK expects WordNet, which is a download: no word has synonyms."""

    @staticmethod
    def synsets(word: str) -> list[Any]:
        return []


def _meteor(said: dict[str, Tokens], meant: dict[str, list[Tokens]], score: Any) -> dict[str, float]:
    """METEOR with the parameters of 1.5; as in 1.5, a caption that is a reference word for word scores 1."""
    scores = {}
    for name, words in said.items():
        if not words or words in meant[name]:
            scores[name] = 1.0 if words else 0.0
        else:
            scores[name] = float(score(meant[name], words, wordnet=_NoSynonyms(), **METEOR_PARAMETERS))
    return scores


def _cider(said: dict[str, Tokens], meant: dict[str, list[Tokens]]) -> dict[str, float]:
    """CIDEr-D (Vedantam et al., 2015): clipped tf-idf cosine of 1- to 4-grams with a penalty for another length.

    As in the toolkit, a caption's length is its number of bigrams.
    """
    rarity = Counter(gram for refs in meant.values() for gram in {gram for words in refs for gram in _grams(words)})
    total = math.log(len(said))

    def weighed(words: Tokens) -> tuple[list[dict[tuple[str, ...], float]], int]:
        orders: list[dict[tuple[str, ...], float]] = [{} for _ in range(CIDER_ORDERS)]
        for gram, count in _grams(words).items():
            orders[len(gram) - 1][gram] = count * (total - math.log(max(1, rarity[gram])))
        return orders, max(0, len(words) - 1)

    scores = {}
    for name, words in said.items():
        candidate, length = weighed(words)
        likeness = 0.0
        for reference, other in map(weighed, meant[name]):
            penalty = math.exp(-((length - other) ** 2) / (2 * CIDER_SIGMA**2))
            likeness += penalty * sum(map(_cosine, candidate, reference)) / CIDER_ORDERS
        scores[name] = 10 * likeness / len(meant[name])
    return scores


def _grams(words: Tokens) -> Counter[tuple[str, ...]]:
    return Counter(
        tuple(words[at : at + order]) for order in range(1, CIDER_ORDERS + 1) for at in range(len(words) - order + 1)
    )


def _cosine(candidate: dict[tuple[str, ...], float], reference: dict[tuple[str, ...], float]) -> float:
    norm = math.hypot(*candidate.values()) * math.hypot(*reference.values())
    shared = sum(min(weight, reference.get(gram, 0.0)) * reference.get(gram, 0.0) for gram, weight in candidate.items())
    return shared / norm if norm else 0.0
