"""The page of one answer and the sheet of a clip: what they hold, and, in a browser, what they show."""

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from aurelia.report.answer_page import AskedQuestion, write_answer_page, write_sheet_page
from aurelia.report.files import check_page_path
from aurelia.run.ask import answer_question
from aurelia_core.errors import InputError
from aurelia_core.types import arrange_media
from state.context import make_context
from tests.support.browser import browser, lacking, visit
from tests.support.scripted import scripted, verdict
from tests.support.stage import Stage

ROLES: Any = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")
QUESTION = "Which <b>sound</b> is heard?"
CHOICES = ["a bell", "a horn"]


async def answer_page(at: Stage, folder: Path) -> Path:
    """The page of an answer of two attempts."""
    question: Any = {"video": str(at.clip), "question": QUESTION, "choices": CHOICES}
    script = make_context(ROLES)
    result = await answer_question(question, script, client=at.desk)
    path = folder / "answer.html"
    asked = AskedQuestion(QUESTION, CHOICES, [], "steps", 6, video=str(at.clip))
    write_answer_page(path, result, asked, at.desk.store)
    return path


def blocks(page: Path) -> dict[str, Any]:
    """The data of a page by the id of its block."""
    found = re.findall(r'<script type="application/json" id="(\w+)">"([^"]*)"</script>', page.read_text("utf-8"))
    return {name: json.loads(gzip.decompress(base64.b64decode(data))) for name, data in found}


async def test_a_page_holds_the_answer_the_attempts_and_the_clip(stage: Any, tmp_path: Path) -> None:
    at: Stage = stage(scripted(evaluator=[verdict(4), verdict(9)], target=["Plan.\nAnswer: a bell"]))
    page = await answer_page(at, tmp_path)
    data = blocks(page)
    (detail,) = data["d0"]
    assert (detail["question"], detail["choices"], detail["answers"]) == (QUESTION, CHOICES, [])
    assert (len(detail["attempts"]), detail["best_iteration"], detail["score"]) == (2, 2, 9)
    assert detail["arms"]["aurelia"]["answer"] == "Plan.\nAnswer: a bell"
    assert detail["arms"]["zero_shot"]["usage"] is None
    assert len(data["m0"]["frames"]) == 6 and len(data["m0"]["peaks"]) == 200
    text = page.read_text("utf-8")
    assert "Content-Security-Policy" in text and not re.search(r"(?:src|href)=\"(?!data:)", text)
    assert "<b>sound</b>" not in text and str(at.clip.parent) not in text


async def test_an_unknown_has_its_reason_on_the_page(stage: Any, tmp_path: Path) -> None:
    at: Stage = stage(scripted(target=["unknown: no bell is heard"]))
    (detail,) = blocks(await answer_page(at, tmp_path))["d0"]
    assert detail["warnings"] == ["The answer is unknown: no bell is heard"]


def test_a_sheet_shows_the_frames_of_one_look(session_store: Any, duet: Path, tmp_path: Path) -> None:
    clip = session_store.admit(duet)
    write_sheet_page(tmp_path / "sheet.html", arrange_media([clip]), 9, session_store)
    data = blocks(tmp_path / "sheet.html")
    assert len(data["m0"]["frames"]) == 9 and data["m0"]["peaks"]
    assert data["d0"][0]["arms"] == {} and data["d0"][0]["question"].endswith("duet.mp4")


@pytest.mark.parametrize("name", [".", "missing/page.html"])
def test_a_page_that_cannot_be_written_is_refused_beforehand(tmp_path: Path, name: str) -> None:
    check_page_path(tmp_path / "page.html")
    with pytest.raises(InputError, match="name a file in a folder that exists"):
        check_page_path(tmp_path / name)


@pytest.mark.enable_socket
@pytest.mark.browser
@pytest.mark.skipif(lacking() is not None, reason=str(lacking()))
async def test_a_browser_shows_the_question_open(stage: Any, tmp_path: Path) -> None:
    at: Stage = stage(scripted(evaluator=[verdict(4), verdict(9)], target=["a bell"]))
    page = await answer_page(at, tmp_path)
    write_sheet_page(tmp_path / "sheet.html", arrange_media([at.desk.store.admit(at.clip)]), 4, at.desk.store)
    with browser() as driver:
        for name, words in ((page, ("a bell", "Attempt 2", QUESTION)), (tmp_path / "sheet.html", ("duet.mp4",))):
            visit(driver, name)
            driver.set_script_timeout(20)
            shown = driver.execute_async_script(
                "const done = arguments[0]; const look = () => document.querySelector('.clip') ?"
                " done(document.body.innerText) : setTimeout(look, 50); look();"
            )
            assert all(word in shown for word in words), shown
            assert "The truth" not in shown
            assert driver.get_log("browser") == []
