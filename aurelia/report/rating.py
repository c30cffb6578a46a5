"""A page on which people rate the reasoning of runs, blind to run and score, and a key that only its maker has."""

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aurelia.bench.run_file import RunFile
from aurelia.report.html import escape_values, load_template
from aurelia_core.errors import InputError


class RatingScale(NamedTuple):
    """One scale from 1 to 5; `anchors` says in words what each value means."""

    name: str
    title: str
    question: str
    anchors: tuple[tuple[int, str], ...]


SCALES = (
    RatingScale(
        "coherence",
        "Logical coherence",
        "Do the steps follow from each other and lead to an answer of the question?",
        (
            (1, "the steps contradict each other, or have nothing to do with the question"),
            (2, "most steps do not follow; large gaps"),
            (3, "about half of the steps follow; a reader has to fill gaps"),
            (4, "the steps follow, with one small gap or a needless step"),
            (5, "every step follows and is needed"),
        ),
    ),
    RatingScale(
        "grounding",
        "Grounding",
        "Is what the steps claim to see and hear really in the clip?",
        (
            (1, "nothing that is claimed is in the clip"),
            (2, "most claims are not in the clip"),
            (3, "about half of the claims are in the clip"),
            (4, "all claims but one small one are in the clip"),
            (5, "every claim is in the clip"),
        ),
    ),
)
SCALE_NAMES = tuple(scale.name for scale in SCALES)


class RatingFiles(NamedTuple):
    """The page for raters, the key (which item is which reasoning), and the number of items."""

    page: Path
    key: Path
    items: int


def write_rating_page(runs: Sequence[Path], out: Path, *, size: int | None = None, seed: int = 0) -> RatingFiles:
    """Writes the page and its key (`NAME.key.json`).

    The page has the best reasoning of each question: the question, its choices, the steps with findings, and the names
    of the clips, which are played from a folder "media" beside the page. It has neither run, arm, score nor reference.

    Args:
        runs: Run files; reasoning of several runs is mixed.
        out: File of the page.
        size: Number of items, drawn at random; None takes all.
        seed: Seed of the draw.

    Raises:
        InputError: A file is not a run, no run has reasoning, or jinja2 is not installed.
    """
    found = [pair for number, path in enumerate(runs) for pair in _items(path, number)]
    if not found:
        raise InputError("There is no reasoning to rate: run the arm aurelia first.")
    if size is not None and size < len(found):
        found = random.Random(seed).sample(found, size)
    found.sort(key=lambda pair: pair[0]["id"])
    items = [item for item, _ in found]
    page = hashlib.sha256(json.dumps(items, sort_keys=True).encode()).hexdigest()[:12]
    _write_page(out, page, items)
    key = out.with_name(f"{out.stem}.key.json")
    entries = {item["id"]: entry for item, entry in found}
    key.write_text(json.dumps({"page": page, "items": entries}, indent=1) + "\n", encoding="utf-8")
    return RatingFiles(out, key, len(items))


def _items(path: Path, number: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each reasoning of a run as an item of the page and its entry in the key."""
    with RunFile.open(path) as run:
        for outcome in run.outcomes("aurelia", state="answered"):
            result = outcome.result or {}
            best = result.get("best")
            if not best:
                continue
            record = run.record(outcome.record)
            name = f"{number}/{path.name}/{record.id}/{outcome.rollout}"
            item = {
                "id": hashlib.sha256(name.encode()).hexdigest()[:10],
                "question": record.full_question(),
                "choices": record.choices,
                "video": record.video,
                "audio": list(record.audio),
                "images": list(record.images),
                "steps": [{part: step[part] for part in ("step", "answer", "justification")} for step in best["steps"]],
            }
            entry = {"run": path.name, "record": record.id, "rollout": outcome.rollout, "score": result.get("score")}
            yield item, entry


def _write_page(out: Path, page: str, items: list[dict[str, Any]]) -> None:
    template = load_template("rate.html", "rate.js")
    content = {"page": page, "scales": SCALE_NAMES, "items": [_visible(item) for item in items]}
    rendered = template.template.render(scales=SCALES, items=template.script_json(content), **template.parts)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(rendered, encoding="utf-8")


def _visible(item: dict[str, Any]) -> Any:
    """The item with every text made visible, but for the names of files."""
    return {**escape_values(item), "video": item["video"], "audio": item["audio"], "images": item["images"]}
