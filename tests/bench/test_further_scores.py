"""Scores by choice: captions in Java, by a judge, by the evaluator; whether reasoning is sound, beside the accuracy."""

import json
import math
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from aurelia.bench.entailment import Entailment, load_entailment_model, measure_core_inference
from aurelia.bench.further_scores import FurtherModels, score_further
from aurelia.bench.java_captions import java_caption_scores
from aurelia.bench.run_file import RunFile
from aurelia.bench.runner import RunResources
from aurelia.bench.score_run import score_run_file
from aurelia.report.build import build_report
from aurelia_core.errors import InputError
from tests.support.bench_records import made_run
from tests.support.scripted import scripted
from tests.support.stage import no_wait

DATA = Path(__file__).parents[1] / "data"
needs_java = pytest.mark.skipif(
    shutil.which("java") is None or find_spec("pycocoevalcap") is None, reason="needs Java and pycocoevalcap"
)


def reasoned(number: int, parts: dict[str, Any]) -> None:
    """A question with reference reasoning and claims of a critic, or a caption."""
    if number % 2:
        parts["record"] |= {"column": "av-captioning", "choices": [], "answers": ["A bird sings."], "history": []}
        parts["values"] = []
        parts["result"] |= {"answer": "A bird is singing."}
        return
    parts["record"] |= {"reasoning": [{"text": "A bell rings."}, {"text": "A dog barks."}]}
    best = parts["result"]["best_iteration"]
    if best:
        verdicts = ["supported", "supported", "contradicted", "cannot_tell"]
        claim = {"text": "A bell rings.", "kind": "sound", "modality": "audio", "window": None}
        seen = {"window": None, "witness": "scripted:one", "margin": None, "reason": "heard"}
        found = [{"claim": claim, "verdict": verdict, **seen} for verdict in verdicts]
        parts["result"]["iterations"][best - 1]["claims"] = found


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return made_run(tmp_path / "made.run", 6, change=reasoned)


def values(path: Path, metric: str) -> dict[tuple[str, str], tuple[float | None, str | None]]:
    with RunFile.open(path) as opened:
        return {(score.record, score.arm): (score.value, score.said) for score in opened.scores(metric)}


def resources(settings: Any, **roles: Any) -> RunResources:
    model = scripted(**roles)
    return RunResources(settings, providers={"scripted": lambda name, store: model}, sleep=no_wait)


@needs_java
def test_meteor_is_the_toolkits() -> None:
    stored = json.loads((DATA / "coco_captions.json").read_text(encoding="utf-8"))
    candidates = {name: row["caption"] for name, row in stored["captions"].items()}
    references = {name: row["references"] for name, row in stored["captions"].items()}
    corpus, each = java_caption_scores("meteor-1.5", candidates, references)
    assert corpus == pytest.approx(stored["scores"]["meteor"], abs=1e-6)
    assert each.keys() == candidates.keys()


@needs_java
def test_spice_without_its_models_names_them() -> None:
    package = find_spec("pycocoevalcap")
    assert package is not None
    places = package.submodule_search_locations or []
    if any(Path(place, "spice", "lib", "stanford-corenlp-3.6.0-models.jar").is_file() for place in places):
        assert java_caption_scores("spice", {"a": "a dog barks"}, {"a": ["a dog barks"]})[0] == pytest.approx(1.0)
        return
    with pytest.raises(
        InputError, match=r"3\.6\.0\.jar and stanford-corenlp-3\.6\.0-models\.jar .*get_stanford_models"
    ):
        java_caption_scores("spice", {"a": "rain"}, {"a": ["rain"]})


STAND_IN = """#!{python}
import json, os, sys
from pathlib import Path
*begin, read, cache, folder, out, written, subset, silent = sys.argv[1:]
assert begin == ["-Xmx8G", "-jar", "spice-1.0.jar"] and Path("spice-1.0.jar").is_file()
assert (cache, out, subset, silent) == ("-cache", "-out", "-subset", "-silent") and Path(folder).is_dir()
assert "--add-opens=java.base/java.lang=ALL-UNNAMED" in os.environ["JDK_JAVA_OPTIONS"]
rows = json.loads(Path(read).read_text())
if rows[0]["test"] == "fail":
    sys.exit("Exception in thread main: no memory")
scores = [len(set(row["test"].split()) & set(row["refs"][0].split())) / 4 or None for row in rows]
found = [{{"image_id": row["image_id"], "scores": {{"All": {{"f": f}}}}}} for row, f in zip(rows, scores)]
Path(written).write_text(json.dumps(found[::-1]))
"""


def test_spice_is_asked_and_read_as_the_toolkit_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lib = tmp_path / "pycocoevalcap" / "spice" / "lib"
    lib.mkdir(parents=True)
    (lib.parent / "spice-1.0.jar").touch()
    for name in ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar"):
        (lib / name).touch()
    java = tmp_path / "java"
    java.write_text(STAND_IN.format(python=sys.executable))
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    corpus, each = java_caption_scores(
        "spice",
        {"b": "a dog barks", "a": "rain", "c": "x"},
        {"a": ["rain falls"], "b": ["a dog runs", "y"], "c": ["z"]},
    )
    assert (corpus, each) == (0.25, {"b": 0.5, "a": 0.25, "c": 0.0})
    with pytest.raises(InputError, match="no memory"):
        java_caption_scores("spice", {"a": "fail"}, {"a": ["rain"]})


def test_without_java_the_metric_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="Java runtime"):
        java_caption_scores("meteor-1.5", {"a": "rain"}, {"a": ["rain"]})


async def test_a_judge_scores_captions_blind_and_once(run: Path, settings: Any) -> None:
    model = scripted(judge=lambda fields, messages: {"score": 80, "reason": "It says the same."})
    used = RunResources(settings, providers={"scripted": lambda name, store: model}, sleep=no_wait)
    counts = await score_further(run, ["caption-judge"], used, FurtherModels(judge="scripted:one"))
    assert counts == {"caption-judge": 8}
    found = values(run, "caption-judge")
    assert found["made:1", "aurelia"] == (0.8, "It says the same.")
    assert {record for record, _ in found} == {"made:1", "made:2", "made:3", "made:5"}
    asked = [fields for role, fields, _ in model.heard if role == "judge"]
    assert not any("arm" in fields for fields in asked)
    assert await score_further(run, ["caption-judge"], used, FurtherModels(judge="scripted:one")) == {
        "caption-judge": 0
    }


async def test_the_claims_of_the_critic_are_the_factual_consistency(run: Path, settings: Any) -> None:
    await score_further(run, ["factual-consistency"], resources(settings), FurtherModels())
    found = values(run, "factual-consistency")
    assert found
    assert {said for _, said in found.values()} == {"2 supported, 1 contradicted, 1 cannot tell"}
    assert [value for value, _ in found.values()] == pytest.approx([2 / 3] * len(found))
    assert {arm for _, arm in found} == {"aurelia"}


def test_a_reference_step_follows_from_one_step_or_from_all() -> None:
    def model(pairs: Any) -> list[Entailment]:
        shares = {
            ("a bell", "bell"): (0.9, 0.0),
            ("a bell a dog", "bell and dog"): (0.6, 0.1),
            ("a dog", "no dog"): (0.1, 0.8),
        }
        return [Entailment(*shares.get(pair, (0.2, 0.2))) for pair in pairs]

    found = measure_core_inference(["a bell", "a dog"], ["bell", "bell and dog", "no dog", "a car"], model)
    assert (found.value, found.entailed, found.contradicted) == (0.5, 2, [3])
    assert found.text == "2 of 4 reference steps follow; contradicted: 3"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A random entailment model of a few thousand weights."""
    transformers = pytest.importorskip("transformers", reason="needs pip install -e '.[local]'")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "bell", "rings", "dog", "barks", "."]
    (tmp_path / "nli").mkdir()
    (tmp_path / "nli" / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    transformers.BertTokenizer(str(tmp_path / "nli" / "vocab.txt")).save_pretrained(tmp_path / "nli")
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        id2label={0: "contradiction", 1: "entailment", 2: "neutral"},
        label2id={"contradiction": 0, "entailment": 1, "neutral": 2},
    )
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path / "nli")
    return tmp_path / "nli"


async def test_a_local_model_scores_core_inference_beside_the_accuracy(
    run: Path, settings: Any, checkpoint: Path, tmp_path: Path
) -> None:
    await score_run_file(run)
    before = values(run, "correct")
    await score_further(run, ["core-inference"], resources(settings), FurtherModels(entailment=str(checkpoint)))
    found = values(run, "core-inference")
    assert found
    assert all(value in (0.0, 0.5, 1.0) for value, _ in found.values())
    assert values(run, "correct") == before
    text = build_report([run], tmp_path / "report", media="none").markdown.read_text(encoding="utf-8")
    assert "Reasoning, made" in text
    assert "core-inference" in text
    assert "Captions, each, made" in text


def test_the_probabilities_of_a_local_model_are_those_of_its_labels(checkpoint: Path) -> None:
    pairs = [("a bell rings .", "a bell"), ("a dog barks . " * 30, "a dog")]
    found = load_entailment_model(str(checkpoint))(pairs)
    assert len(found) == 2
    assert all(0 < one.entails < 1 and 0 < one.contradicts < 1 and math.fsum(one) < 1 for one in found)
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    config["id2label"] = {"0": "good", "1": "bad", "2": "fair"}
    config["label2id"] = {"good": 0, "bad": 1, "fair": 2}
    (checkpoint / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match="entailment and contradiction"):
        load_entailment_model(str(checkpoint))


@pytest.mark.parametrize(
    ("metric", "advice"),
    [("fluency", "choose from"), ("caption-judge", "--judge"), ("core-inference", "--nli")],
)
async def test_a_metric_that_cannot_be_computed_says_what_it_needs(
    run: Path, settings: Any, metric: str, advice: str
) -> None:
    with pytest.raises(InputError, match=advice):
        await score_further(run, [metric], resources(settings), FurtherModels())


def test_a_missing_entailment_model_is_named(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs pip install -e '.[local]'")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_entailment_model(str(tmp_path / "nothing"))
