"""People rate the reasoning on a page that tells them nothing of run and score; their agreement is measured."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aurelia.cli.bench import bench_app
from aurelia.report.agreement import measure_agreement
from aurelia.report.rating import SCALE_NAMES, write_rating_page
from aurelia_core.errors import InputError
from tests.support.bench_records import made_run
from tests.support.browser import lacking


@pytest.fixture
def written(tmp_path: Path) -> Any:
    runs = [made_run(tmp_path / name, 12, seed=seed) for seed, name in enumerate(("alpha.run", "beta.run"))]
    return write_rating_page(runs, tmp_path / "rate.html")


def items_of(page: Path) -> list[dict[str, Any]]:
    text = page.read_text(encoding="utf-8").split('id="items">', 1)[1].split("</script>", 1)[0]
    found: list[dict[str, Any]] = json.loads(text)["items"]
    return found


def ratings(written: Any, rater: str, value: Any) -> Path:
    key = json.loads(written.key.read_text())
    rows = [{"item": name, **dict.fromkeys(SCALE_NAMES, value(entry))} for name, entry in key["items"].items()]
    path = Path(written.page).with_name(f"ratings-{rater}.json")
    path.write_text(json.dumps({"page": key["page"], "rater": rater, "ratings": rows}))
    return path


def test_the_page_tells_neither_run_nor_score_nor_truth(written: Any) -> None:
    text = written.page.read_text(encoding="utf-8")
    assert "alpha.run" not in text and "beta.run" not in text and "made:" not in text
    assert {name for item in items_of(written.page) for name in item} == {
        "id", "question", "choices", "video", "audio", "images", "steps"
    }  # fmt: skip
    key = json.loads(written.key.read_text())
    assert {entry["run"] for entry in key["items"].values()} == {"alpha.run", "beta.run"}
    assert len(key["items"]) == written.items == len(items_of(written.page))


def test_a_sample_is_drawn_by_seed(tmp_path: Path) -> None:
    run = made_run(tmp_path / "a.run", 30)
    pages = [write_rating_page([run], tmp_path / f"{n}.html", size=5, seed=seed) for n, seed in enumerate((1, 1, 2))]
    keys = [set(json.loads(page.key.read_text())["items"]) for page in pages]
    assert keys[0] == keys[1] != keys[2] and len(keys[0]) == 5


def test_raters_that_follow_the_score_agree_with_it_and_each_other(written: Any) -> None:
    dice = random.Random(3)
    files = [
        ratings(
            written, name, lambda entry: min(5, max(1, round((entry["score"] or 4) / 2) + dice.choice([0, 0, 0, 1])))
        )
        for name in ("ann", "bob", "cem")
    ]
    for one in measure_agreement(written.key, files):
        assert one.raters == 3 and one.items == written.items
        assert one.alpha.value is not None and one.alpha.low is not None and one.alpha.high is not None
        assert 0.3 < one.alpha.low < one.alpha.value < one.alpha.high <= 1
        assert one.evaluator.value is not None and one.evaluator.value > 0.8


def test_raters_by_chance_do_not_agree_and_cannot_tell_is_no_rating(written: Any) -> None:
    dice = random.Random(4)
    files = [ratings(written, name, lambda entry: dice.randint(0, 5)) for name in ("ann", "bob")]
    first = measure_agreement(written.key, files)[0]
    assert first.alpha.value is not None and abs(first.alpha.value) < 0.5
    assert 0.05 < first.cannot_tell < 0.4
    same = [ratings(written, name, lambda entry: 3) for name in ("ann", "bob")]
    assert measure_agreement(written.key, same)[0].alpha.value is None


def changed(path: Path, change: Any) -> Path:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content["ratings"][1].update(grounding=7), "ratings-bob.json, rating 2: grounding"),
        (lambda content: content["ratings"][0].update(item="zz"), "rating 1: there is no item 'zz'"),
        (lambda content: content["ratings"][2].update(grounding="3"), "rating 3: grounding"),
        (lambda content: content.update(page="other"), "rates another page"),
        (lambda content: content.update(rater="ann"), "another file has ratings of 'ann'"),
        (lambda content: content.pop("ratings"), "is no file of ratings"),
    ],
)
def test_bad_files_are_refused_by_row(written: Any, change: Any, said: str) -> None:
    files = [ratings(written, "ann", lambda entry: 3), changed(ratings(written, "bob", lambda entry: 4), change)]
    with pytest.raises(InputError, match=said):
        measure_agreement(written.key, files)


def test_the_commands(written: Any, tmp_path: Path) -> None:
    files = [str(ratings(written, name, lambda entry: 1 + (entry["score"] or 0) // 3)) for name in ("ann", "bob")]
    ended = CliRunner().invoke(bench_app, ["agreement", str(written.key), *files, "--out", str(tmp_path / "out")])
    assert ended.exit_code == 0, ended.output
    assert re.search("Logical coherence +2 ", ended.stdout) and "1.00" in ended.stdout
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".csv", ".tex"]
    ended = CliRunner().invoke(bench_app, ["rate", str(tmp_path / "alpha.run"), "--out", str(tmp_path / "r.html")])
    assert "Keep r.key.json to yourself" in ended.stderr
    with pytest.raises(InputError, match="is no key file"):
        measure_agreement(Path(files[0]), [])


def open_as(driver: Any, page: Path, rater: str) -> None:
    driver.get(page.as_uri())
    driver.execute_script(
        "document.getElementById('rater').value = arguments[0]; document.getElementById('start').click()", rater
    )


def press(driver: Any, *keys: str) -> None:
    for key in keys:
        driver.execute_script(
            "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))", key
        )


@pytest.mark.enable_socket
@pytest.mark.browser
@pytest.mark.skipif(lacking() is not None, reason=str(lacking()))
def test_a_rater_works_by_keyboard_closes_the_page_and_goes_on(driver: Any, written: Any, tmp_path: Path) -> None:
    open_as(driver, written.page, "ann")
    first = driver.execute_script("return document.getElementById('question').textContent")
    press(driver, "4", "0", "Enter", "2")
    told = driver.execute_script("return document.getElementById('progress').textContent")
    assert told == f"1 of {written.items} rated"
    driver.get("about:blank")
    open_as(driver, written.page, "bob")
    orders = [driver.execute_script("return document.getElementById('question').textContent")]
    open_as(driver, written.page, "ann")
    press(driver, "5", "3", "Enter")
    for _ in range(written.items - 2):
        press(driver, "3", "3", "Enter")
    assert driver.execute_script("return document.getElementById('end').hidden") is False
    content = json.loads(driver.execute_script("return window.ratingsContent()"))
    assert len(content["ratings"]) == written.items
    question = {item["id"]: item["question"] for item in items_of(written.page)}
    mine = next(row for row in content["ratings"] if question[row["item"]] == first and row["grounding"] == 0)
    assert mine == {"item": mine["item"], "coherence": 4, "grounding": 0}
    assert orders[0] != first
    saved = tmp_path / "ratings-ann.json"
    saved.write_text(json.dumps(content))
    assert measure_agreement(written.key, [saved])[0].raters == 1
