"""The report's page in a real browser: it shows all, obeys nothing that stands in a text, and loads nothing."""

import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from aurelia.report.build import build_report
from aurelia_core.sanitize import escape_invisible
from tests.support.bench_records import made_run
from tests.support.browser import in_browser, open_question, visit

pytestmark = in_browser
PAYLOADS = [
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "' onmouseover='window.hacked = 1' x='",
    "<svg onload=window.hacked=1><iframe src=javascript:window.hacked=1>",
    "{{ 7 * 7 }} {% raw %} ${window.hacked = 1} <!-- ]]> -->",
    "$\\frac{a}{b}$ & &lt;b&gt; \\u003cscript\\u003e",
    "left \u202eright\u2066 \x00\x1b[31m\ufeff \u2028",
    "\u05e9\u05dc\u05d5\u05dd (1) \u0645\u0631\u062d\u0628\u0627!",
]


def hostile(number: int, parts: dict[str, Any]) -> None:
    """Puts a payload into every text that a question has."""
    bad = PAYLOADS[number % len(PAYLOADS)]
    record, result = parts["record"], parts["result"]
    record |= {"question": f"question {bad}", "category": f"category {bad}", "video": f"video {bad}"}
    record |= {"choices": [f"first {bad}", f"second {bad}"], "answers": [f"first {bad}"], "licence": f"licence {bad}"}
    record |= {"history": [{"question": f"before {bad}", "answer": f"then {bad}"}], "kinds": [f"kind {bad}"]}
    record |= {"reasoning": [{"text": f"reference {bad}"}]}
    record["source"] |= {"dataset": f"dataset {bad}", "item": f"item {bad}"}
    parts |= {"zero": f"zero {bad}", "said": f"judged {bad}", "how": f"how {bad}", "failed": number == 4}
    result |= {"answer": f"answer {bad}", "warnings": [f"warning {bad}"], "stop_reason": f"stop {bad}"}
    for attempt in result["iterations"]:
        attempt |= {name: f"{name} {bad}" for name in ("caption", "critique", "feedback", "error")}
        attempt["reasoning"]["answer"] = f"suggested {bad}"
        for step in attempt["reasoning"]["steps"]:
            step |= {name: f"{name} {bad}" for name in ("step", "justification", "answer", "modality")}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attacked")
    run = made_run(folder / "<img src=x onerror=alert(1)>.run", len(PAYLOADS), change=hostile)
    return build_report([run], folder / "out").html


@pytest.mark.parametrize("policed", [True, False], ids=["as it is", "without its policy"])
def test_no_text_is_obeyed(driver: Any, attacked: Path, tmp_path: Path, policed: bool) -> None:
    page = attacked
    if not policed:
        text = attacked.read_text(encoding="utf-8")
        policy = text[text.index('<meta http-equiv="Content-Security-Policy"') :].split("\n", 1)[0]
        page = tmp_path / "open.html"
        page.write_text(text.replace(policy, ""), encoding="utf-8")
    visit(driver, page)
    for number, bad in enumerate(PAYLOADS):
        shown = open_question(driver, number)
        names = [
            "question",
            "first",
            "second",
            "before",
            "then",
            "zero",
            "judged",
            "how",
            "reference",
            "dataset",
            "item",
        ]
        names += ["licence", "video", "kind"]
        if number != 4:
            names += ["answer", "warning", "stop", "caption", "critique", "feedback", "error", "step", "justification"]
            names += ["modality", "suggested"]
        assert [name for name in names if f"{name} {escape_invisible(bad)}" not in shown] == []
    state = driver.execute_script(
        "return [window.hacked ?? null, document.querySelectorAll('iframe, img[src=x], [onload], [onerror]').length,"
        " document.scripts.length - document.querySelectorAll('script[type=\"application/json\"]').length,"
        " performance.getEntriesByType('resource').filter((entry) => !entry.name.startsWith('data:')).length]"
    )
    assert state == [None, 0, 1, 0]
    whole = driver.execute_script("return document.body.textContent")
    assert not set("\u202e\u2066\x00\x1b\ufeff\u2028") & set(whole)
    assert "7 * 7" in whole and "49" not in driver.execute_script("return document.querySelector('#list').textContent")
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_text_of_either_direction_stays_in_its_place(driver: Any, attacked: Path) -> None:
    visit(driver, attacked)
    open_question(driver, len(PAYLOADS) - 1)
    styles = driver.execute_script(
        "return [...document.querySelectorAll('.question[open] .said')]"
        ".map((node) => getComputedStyle(node).unicodeBidi)"
    )
    assert styles and set(styles) <= {"isolate", "plaintext"}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    return build_report([made_run(folder / "many.run", 130)], folder / "out").html


def counted(driver: Any, **chosen: str) -> int:
    driver.execute_script(
        """const given = arguments[0];
        for (const id of ["search", "column", "category", "outcome"]) {
          const field = document.getElementById(id);
          field.value = given[id] ?? "";
          field.dispatchEvent(new Event(id === "search" ? "input" : "change"));
        }""",
        chosen,
    )
    # A search waits for the end of the typing.
    time.sleep(0.4)
    return int(driver.execute_script("return document.getElementById('count').textContent").split(" ", 1)[0])


def test_filters_find_what_the_figures_count(driver: Any, many: Path) -> None:
    visit(driver, many)
    tiles = driver.execute_script("return document.querySelector('.tiles').innerText")
    found = re.search(r"(\d+) fixed, (\d+) broke", tiles)
    assert found and int(found[1]) > int(found[2]) > 0
    assert counted(driver) == 130
    assert [counted(driver, outcome=name) for name in ("fixed", "broke")] == [int(found[1]), int(found[2])]
    assert counted(driver, outcome="failed") == len([n for n in range(130) if n % 41 == 7])
    assert counted(driver, column="0") == len(range(0, 130, 7))
    assert counted(driver, category="1", search="made:6") == len(
        [n for n in range(130) if n % 5 == 1 and str(n)[0] == "6"]
    )
    assert counted(driver, search="no such words anywhere") == 0


def test_questions_load_on_demand_and_more_are_listed_when_asked(driver: Any, many: Path) -> None:
    visit(driver, many)
    assert driver.execute_script("return document.querySelectorAll('.question').length") == 40
    driver.execute_script("document.getElementById('more').click()")
    assert driver.execute_script("return document.querySelectorAll('.question').length") == 130
    assert driver.execute_script("return document.querySelectorAll('.body').length") == 0
    assert "Question 125" in open_question(driver, 125)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_its_window_and_follows_the_scheme(driver: Any, many: Path, width: int, dark: bool) -> None:
    visit(driver, many, width=width, dark=dark)
    open_question(driver, 1)
    wide, ground, ink = driver.execute_script(
        "return [document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.querySelector('.figures svg')).color]"
    )
    assert wide <= width
    light = [sum(int(part) for part in colour[4:-1].split(",")) for colour in (ground, ink)]
    assert (light[0] < 200 and light[1] > 500) if dark else (light[0] > 700 and light[1] < 200)


def test_pictures_and_sound_of_a_real_clip(driver: Any, session_store: Any, duet: Path, tmp_path: Path) -> None:
    shutil.copy(duet, tmp_path / "duet.mp4")
    run = made_run(tmp_path / "clip.run", 3, video=str(tmp_path / "duet.mp4"))
    visit(driver, build_report([run], tmp_path / "out", store=session_store).html)
    open_question(driver, 0)
    frames, bars, doubts = driver.execute_script(
        "return [[...document.querySelectorAll('.strip img')].map((image) => image.decode && image.src.length),"
        " document.querySelectorAll('.wave').length, document.querySelectorAll('.doubt').length]"
    )
    assert len(frames) == 8 and min(frames) > 500
    assert (bars, doubts) == (200, 3)
    sizes = driver.execute_async_script(
        "const done = arguments[0]; Promise.all([...document.querySelectorAll('.strip img')].map((image) =>"
        " { image.loading = 'eager'; return image.decode().then(() => image.naturalHeight); })).then(done, done)"
    )
    assert sizes == [90] * 8
