"""METEOR 1.5 and SPICE as the COCO caption toolkit computes them: by the programs in pycocoevalcap, in Java.

SPICE also needs Stanford's CoreNLP 3.6.0, two files that the toolkit downloads; nothing is downloaded here. The toolkit
writes into its own folder, and its serializer (FST 2.47) fails on Java 16 or later. So SPICE is called here with a
temporary folder, and with those packages of Java opened that the serializer reads.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from aurelia.bench.coco_tokens import coco_tokens
from aurelia_core.errors import InputError

JavaMetric = Literal["meteor-1.5", "spice"]
_CORENLP = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")
_OPENED = ("io", "lang", "math", "net", "text", "util", "util.concurrent")
_SPICE = ("java", "-Xmx8G", "-jar", "spice-1.0.jar")


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
    if metric == "spice":
        return _spice(words, reference_words)
    try:
        whole, each = _meteor().compute_score(reference_words, words)
    except (OSError, ValueError) as fault:
        raise InputError(f"Java could not compute {metric} ({fault}): check that `java -version` works.") from None
    return float(whole), dict(zip(names, map(float, each), strict=True))


def check_java(metric: JavaMetric) -> None:
    """Refuses a metric that this machine cannot compute.

    Raises:
        InputError: There is no Java, no pycocoevalcap, or no models for SPICE.
    """
    if shutil.which("java") is None:
        raise InputError(f"{metric} runs in Java, and there is none: install a Java runtime, or leave the metric out.")
    folder = _spice_folder()
    if folder is None:
        raise InputError(f"{metric} needs pycocoevalcap: pip install pycocoevalcap.")
    lacking = [name for name in _CORENLP if not (folder / "lib" / name).is_file()]
    if metric == "spice" and lacking:
        raise InputError(
            f"SPICE needs Stanford's CoreNLP, and {' and '.join(lacking)} are not there: fetch them once with `python "
            "-c 'from pycocoevalcap.spice.get_stanford_models import get_stanford_models as get; get()'` (400 MB), or "
            "leave the metric out."
        )


def _spice_folder() -> Path | None:
    package = find_spec("pycocoevalcap")
    if package is None or not package.submodule_search_locations:
        return None
    return Path(package.submodule_search_locations[0], "spice")


def _spice(words: Mapping[str, list[str]], references: Mapping[str, list[str]]) -> tuple[float, dict[str, float]]:
    """The mean F of all captions, and F by id. A caption without any tuple has 0."""
    rows = [{"image_id": name, "test": text, "refs": references[name]} for name, (text,) in words.items()]
    opened = " ".join(f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPENED)
    with tempfile.TemporaryDirectory() as place:
        read, written = Path(place, "in.json"), Path(place, "out.json")
        read.write_text(json.dumps(rows), encoding="utf-8")
        command = [*_SPICE, str(read), "-cache", place, "-out", str(written), "-subset", "-silent"]
        # Java 8 does not know the option, and does not read the variable.
        environment = os.environ | {"JDK_JAVA_OPTIONS": opened}
        ended = subprocess.run(command, cwd=_spice_folder(), env=environment, capture_output=True, text=True)
        if ended.returncode or not written.is_file():
            said = next((line for line in ended.stderr.splitlines() if "xception" in line or "rror" in line), "no word")
            raise InputError(f"Java could not compute spice ({said[:200]}): check that `java -version` works.")
        found = json.loads(written.read_text(encoding="utf-8"))
    each = {str(row["image_id"]): float(row["scores"]["All"]["f"] or 0.0) for row in found}
    return sum(each.values()) / len(each), {name: each[name] for name in words}


def _meteor() -> Any:
    from pycocoevalcap.meteor.meteor import Meteor

    class ClosingMeteor(Meteor):  # type: ignore[misc]
        def __del__(self) -> None:
            # The toolkit leaves two pipes open.
            super().__del__()
            self.meteor_p.stdout.close()
            self.meteor_p.stderr.close()

    return ClosingMeteor()
