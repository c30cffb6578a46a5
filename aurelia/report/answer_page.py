"""One answer as a self-contained page: the report's question with clip, attempts and what the target received.

The sheet of a clip is the same page without an answer: what a model that takes frames is shown of the clip.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aurelia.bench.records import Column
from aurelia.bench.run_file import Arm
from aurelia.report.files import check_page_path, write_atomically
from aurelia.report.html import QuestionPacker, render_page
from aurelia.report.media import picture_media
from aurelia.report.rows import ArmAnswer, Case, ReportRow, loop_detail
from aurelia.report.tables import format_cost
from aurelia_core.media import ClipStore
from aurelia_core.types import Media
from nodes.prepare import admit_media

_COLUMN: Column = "other"
_ID = "question"
_MAX_FRAMES = 64


class AskedQuestion(NamedTuple):
    """What was asked about which clip.

    Attributes:
        question: the question.
        choices: its choices; empty for an open question.
        audio: paths or ids of separate sounds.
        inject: what of the reasoning the target received.
        frames: number of frames of one look.
        video: path or id of the video; None: there are only images or sounds.
        images: paths or ids of still pictures.
    """

    question: str
    choices: Sequence[str]
    audio: Sequence[str]
    inject: str
    frames: int
    video: str | None = None
    images: Sequence[str] = ()


def write_answer_page(path: Path, result: Mapping[str, Any], asked: AskedQuestion, store: ClipStore) -> None:
    """Write the page of one answer.

    Args:
        path: the file to write; an existing one is replaced.
        result: the answer, with the keys `aurelia.run.result.RESULT_KEYS`.
        asked: the question.
        store: reads the clip.

    Raises:
        InputError: the file cannot be written, or jinja2 is not installed.
        MediaError: the clip cannot be read any more.
    """
    check_page_path(path)
    media = admit_media(store, asked.video, asked.images, asked.audio)
    clip = picture_media(store, media, count=min(asked.frames, _MAX_FRAMES))
    packer = QuestionPacker(lambda row: 0)
    packer.add(0, _row(result, asked))
    content = {"title": asked.question, "names": [_ID], "figures": [], "tiles": _tiles(result)}
    write_atomically(path, render_page(content, packer, [clip], template="answer.html"))


def write_sheet_page(path: Path, media: Media, frames: int, store: ClipStore) -> None:
    """Write a page with the frames of one look at a clip, their times, and the outline of the sound.

    Args:
        path: the file to write; an existing one is replaced.
        media: what is shown, admitted to the store.
        frames: number of frames of one look.
        store: reads the clip.

    Raises:
        InputError: the file cannot be written, or jinja2 is not installed.
        MediaError: the clip cannot be decoded.
    """
    check_page_path(path)
    clip = media.clip
    shown = picture_media(store, media, count=frames)
    packer = QuestionPacker(lambda row: 0)
    detail = _question(f"What a model is shown of {clip['name']}", [], f"clip {clip['id'][:12]}") | loop_detail({})
    packer.add(0, ReportRow(Case(_ID, 0, _COLUMN, "", clip["id"], {}), {**detail, "inject": "steps", "arms": {}}))
    size = f"{clip['width']}x{clip['height']} pixels"
    if clip["width"] is None:
        size = "no picture"
    tiles = [
        {"name": "Length", "value": f"{media.seconds:.2f} s", "note": size},
        {"name": "Frames", "value": str(len(shown["frames"])), "note": "one look at the whole clip"},
        {"name": "Sound", "value": "yes" if shown["peaks"] else "no", "note": f"{clip['audio_seconds'] or 0:.2f} s"},
    ]
    content = {"title": clip["name"], "names": [_ID], "figures": [], "tiles": tiles}
    write_atomically(path, render_page(content, packer, [shown], template="answer.html"))


def _row(result: Mapping[str, Any], asked: AskedQuestion) -> ReportRow:
    """The answer in the form of a report's question. Nothing is known about the truth, so neither arm has a verdict."""
    arms: dict[Arm, dict[str, Any]] = {"aurelia": _arm(result["reply"], result["choice"], result["usage"])}
    if result["zero_shot_reply"] is not None:
        arms["zero_shot"] = _arm(result["zero_shot_reply"], None, None)
    answers = {arm: ArmAnswer("unscored", None, {}, 0, None, 0) for arm in arms}
    models = ", ".join(f"{role} {model}" for role, model in result["models"].items())
    where = f"clip {result['clip']['id'][:12]}; models: {models}"
    detail = _question(asked.question, asked.choices, where) | loop_detail(result)
    detail |= {"inject": asked.inject, "arms": arms}
    if result["why_unknown"]:
        detail["warnings"] = [*detail["warnings"], f"The answer is unknown: {result['why_unknown']}"]
    return ReportRow(Case(_ID, 0, _COLUMN, "", result["clip"]["id"], answers), detail)


def _question(question: str, choices: Sequence[str], where: str) -> dict[str, Any]:
    """A question without a reference answer, as the page shows it."""
    return {
        "id": _ID,
        "rollout": 0,
        "column": _COLUMN,
        "category": "",
        "question": question,
        "history": [],
        "choices": list(choices),
        "answers": [],
        "reference": [],
        "where": where,
        "kinds": [],
        "video": None,
        "audio": [],
        "images": [],
    }


def _arm(answer: str | None, choice: str | None, usage: Mapping[str, Any] | None) -> dict[str, Any]:
    shown = None
    if usage:
        shown = {"calls": usage["calls"], "cost_usd": usage["cost_usd"]}
    return {
        "mark": "unscored",
        "answer": answer,
        "choice": choice,
        "error": None,
        "how": None,
        "said": None,
        "scores": {},
        "usage": shown,
    }


def _tiles(result: Mapping[str, Any]) -> list[dict[str, str]]:
    score = "no score"
    if result["score"] is not None:
        score = f"{result['score']}/10"
    usage = result["usage"]
    return [
        {"name": "AURELIA", "value": result["answer"] or "none", "note": "with the reasoning below"},
        {"name": "Zero-shot", "value": result["zero_shot_answer"] or "none", "note": "the same target without it"},
        {"name": "Evaluator", "value": score, "note": f"attempts: {len(result['iterations'])}"},
        {"name": "Cost", "value": format_cost(usage["cost_usd"], 4), "note": f"{usage['calls']} calls"},
    ]
