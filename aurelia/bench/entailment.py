"""Core inference: how much of a record's reference reasoning follows from the reasoning of a run.

A natural language inference model, local through transformers, reads each pair of a premise (one of the run's steps, or
all of them) and a hypothesis (one reference step). No clip is looked at, and the answer does not count.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aurelia_core.errors import InputError
from aurelia_core.installation import install_command

_BATCH = 16
_MAX_TOKENS = 512


class Entailment(NamedTuple):
    """The probabilities that a premise entails and contradicts a hypothesis, each 0..1."""

    entails: float
    contradicts: float


EntailmentModel = Callable[[Sequence[tuple[str, str]]], list[Entailment]]
"""Reads pairs of premise and hypothesis."""


class CoreInference(NamedTuple):
    """Share of the reference steps that the reasoning entails (0..1); the numbers, from 1, of those it contradicts."""

    value: float
    entailed: int
    contradicted: list[int]
    steps: int

    @property
    def text(self) -> str:
        """The result in words."""
        against = ""
        if self.contradicted:
            against = f"; contradicted: {', '.join(map(str, self.contradicted))}"
        return f"{self.entailed} of {self.steps} reference steps follow{against}"


def measure_core_inference(steps: Sequence[str], reference: Sequence[str], model: EntailmentModel) -> CoreInference:
    """Which reference steps the reasoning entails or contradicts.

    A reference step is entailed if a single step or all steps together entail it with a probability above one half, and
    contradicted if it is not entailed and a premise contradicts it with a probability above one half.

    Args:
        steps: The reasoning of the run, one text a step; at least one.
        reference: The reference steps; at least one.
        model: Reads the pairs.
    """
    premises = list(dict.fromkeys([*steps, " ".join(steps)]))
    pairs = [(premise, hypothesis) for hypothesis in reference for premise in premises]
    found = model(pairs)
    entailed = 0
    contradicted = []
    for number in range(len(reference)):
        of_step = found[number * len(premises) : (number + 1) * len(premises)]
        if max(one.entails for one in of_step) > 0.5:
            entailed += 1
        elif max(one.contradicts for one in of_step) > 0.5:
            contradicted.append(number + 1)
    return CoreInference(entailed / len(reference), entailed, contradicted, len(reference))


def load_entailment_model(name: str) -> EntailmentModel:
    """A model for sequence classification from the Hugging Face hub or a folder, on the CPU.

    Args:
        name: For instance "cross-encoder/nli-deberta-v3-base", or a folder with such a model.

    Raises:
        InputError: transformers is missing, the model cannot be loaded, or its labels are others.
    """
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ImportError as fault:
        raise InputError(f"Core inference needs {fault.name}: {install_command('local')}.") from None
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(name)
        network: Any = AutoModelForSequenceClassification.from_pretrained(name).eval()
    except (OSError, ValueError) as fault:
        reason = str(fault).splitlines()[0]
        raise InputError(f"The entailment model {name!r} cannot be loaded ({reason}): check its name.") from None
    labels = {str(label).casefold(): index for index, label in network.config.id2label.items()}
    entailing = [index for label, index in labels.items() if label.startswith("entail")]
    contradicting = [index for label, index in labels.items() if label.startswith("contradict")]
    if not (entailing and contradicting):
        raise InputError(
            f"{name!r} has the labels {', '.join(labels)}: name a model with the labels entailment and contradiction."
        )

    positions = getattr(network.config, "max_position_embeddings", _MAX_TOKENS)
    longest = min(_MAX_TOKENS, positions, tokenizer.model_max_length)

    def read(pairs: Sequence[tuple[str, str]]) -> list[Entailment]:
        found = []
        for start in range(0, len(pairs), _BATCH):
            premises, hypotheses = zip(*pairs[start : start + _BATCH], strict=True)
            batch = tokenizer(
                list(premises),
                list(hypotheses),
                truncation="only_first",
                padding=True,
                max_length=longest,
                return_tensors="pt",
            )
            with torch.inference_mode():
                shares = network(**batch).logits.softmax(-1)
            found += [Entailment(float(row[entailing[0]]), float(row[contradicting[0]])) for row in shares]
        return found

    return read
