"""METEOR 1.5 and SPICE as the COCO caption toolkit computes them: by pycocoevalcap, in Java.

SPICE also needs Stanford's CoreNLP 3.6.0 models, which the toolkit downloads; nothing is downloaded here.
"""

import shutil
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from aurelia.bench.coco_tokens import coco_tokens
from aurelia_core.errors import InputError

JavaMetric = Literal["meteor-1.5", "spice"]
_MODELS = "stanford-corenlp-3.6.0-models.jar"


def java_caption_scores(
    metric: JavaMetric, candidates: Mapping[str, str], references: Mapping[str, Sequence[str]]
) -> tuple[float, dict[str, float]]:
    """The score of all captions together, and of each by its id, in 0..1.

    Args:
        metric: "meteor-1.5" or "spice".
        candidates: Captions by id.
        references: Reference captions by id, at least one for every candidate.

    Raises:
        InputError: There is no Java, no pycocoevalcap, no models for SPICE, or Java failed.
    """
    check_java(metric)
    words = {name: [" ".join(coco_tokens(text))] for name, text in candidates.items()}
    reference_words = {name: [" ".join(coco_tokens(text)) for text in references[name]] for name in candidates}
    names = list(words)
    try:
        whole, each = _scorer(metric).compute_score(reference_words, words)
    except (OSError, ValueError) as fault:
        raise InputError(f"Java could not compute {metric} ({fault}): check that `java -version` works.") from None
    if metric == "spice":
        # The toolkit sorts the names.
        names = sorted(names)
        each = [scores["All"]["f"] for scores in each]
    return float(whole), dict(zip(names, map(float, each), strict=True))


def check_java(metric: JavaMetric) -> None:
    """Refuses a metric that this machine cannot compute.

    Raises:
        InputError: There is no Java, no pycocoevalcap, or no models for SPICE.
    """
    if shutil.which("java") is None:
        raise InputError(f"{metric} runs in Java, and there is none: install a Java runtime, or leave the metric out.")
    package = find_spec("pycocoevalcap")
    if package is None or not package.submodule_search_locations:
        raise InputError(f"{metric} needs pycocoevalcap: pip install pycocoevalcap.")
    models = Path(package.submodule_search_locations[0], "spice", "lib", _MODELS)
    if metric == "spice" and not models.is_file():
        raise InputError(
            "SPICE needs Stanford's CoreNLP models: fetch them once with `python -m "
            "pycocoevalcap.spice.get_stanford_models` (400 MB), or leave the metric out."
        )


def _scorer(metric: JavaMetric) -> Any:
    if metric == "spice":
        from pycocoevalcap.spice.spice import Spice

        return Spice()
    from pycocoevalcap.meteor.meteor import Meteor

    class ClosingMeteor(Meteor):  # type: ignore[misc]
        def __del__(self) -> None:
            # The toolkit leaves two pipes open.
            super().__del__()
            self.meteor_p.stdout.close()
            self.meteor_p.stderr.close()

    return ClosingMeteor()
