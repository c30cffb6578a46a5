"""The report on this machine: clips that play, links, the newest state of a run, and nothing for strangers."""

import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aurelia.bench.run_file import RunFile
from aurelia.report import view
from aurelia.report.build import build_report
from aurelia.report.table_files import render_csv, render_latex
from aurelia.report.tables import ReportTable, TableLine
from aurelia.report.view import ReportServer
from aurelia_core.errors import InputError
from tests.support.bench_records import made_run
from tests.support.browser import lacking, open_question, visit

pytestmark = pytest.mark.enable_socket
needs_browser = pytest.mark.skipif(lacking() is not None, reason=str(lacking()))


@pytest.fixture
def served(tmp_path: Path, duet: Path) -> Iterator[ReportServer]:
    media = tmp_path / "clips"
    media.mkdir()
    shutil.copy(duet, media / "duet.mp4")
    (tmp_path / "secret.txt").write_text("secret")
    (media / "other.mp4").write_bytes(b"named by no record")
    run = made_run(tmp_path / "made.run", 3, video="duet.mp4")
    with ReportServer([run], media) as server:
        yield server


def get(address: str, **headers: str) -> tuple[int, bytes, Any]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=20) as reply:
            return reply.status, reply.read(), reply.headers
    except urllib.error.HTTPError as fault:
        return fault.code, b"", fault.headers


def test_a_clip_is_served_whole_and_in_parts(served: ReportServer, duet: Path) -> None:
    whole = duet.read_bytes()
    status, body, headers = get(f"{served.address}media/duet.mp4")
    assert (status, body, headers["Content-Type"]) == (200, whole, "video/mp4")
    status, body, headers = get(f"{served.address}media/duet.mp4", Range="bytes=10-19")
    assert (status, body, headers["Content-Range"]) == (206, whole[10:20], f"bytes 10-19/{len(whole)}")
    assert get(f"{served.address}media/duet.mp4", Range="bytes=-5")[1] == whole[-5:]
    assert get(f"{served.address}media/duet.mp4", Range=f"bytes={len(whole)}-")[0] == 416


@pytest.mark.parametrize("path", ["media/other.mp4", "media/../secret.txt", "media/%2e%2e/secret.txt", "made.run", "x"])
def test_only_what_records_name_is_served(served: ReportServer, path: str) -> None:
    assert get(f"{served.address}{path}")[0] == 404


def test_another_host_name_is_refused(served: ReportServer) -> None:
    assert get(served.address, Host="evil.example:80")[0] == 403
    assert get(served.address)[0] == 200


def test_a_run_that_goes_on_is_shown_as_it_is_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "_LEAST_SECONDS", 0.0)
    path = made_run(tmp_path / "made.run", 4)
    with ReportServer([path]) as server:
        before = get(server.address)[1]
        assert get(server.address)[1] == before
        with RunFile.open(path) as run:
            outcome = next(run.outcomes("zero_shot"))
            time.sleep(0.05)
            run.store_outcomes(replace(outcome, state="failed"))
        assert get(server.address)[1] != before


def test_a_port_that_is_taken_is_an_error(served: ReportServer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be used"):
        ReportServer([tmp_path / "made.run"], port=int(served.address.rsplit(":", 1)[1].strip("/")))


def test_tables_are_written_as_csv_and_latex(tmp_path: Path) -> None:
    written = build_report([made_run(tmp_path / "made.run", 20)], tmp_path / "out")
    names = sorted(path.name for path in written.tables.iterdir())
    assert names[0].startswith("01-") and names[-1] == "tables.tex"
    assert (written.tables / "tables.tex").read_text().count(r"\begin{table}") == len(names) - 1
    table = ReportTable("50% of a_b", ["x", "y & z"], [TableLine(["=1+1", "1.5 ± 0.2"], "ours")], ["A {note}"])
    assert render_csv(table).splitlines() == ["x,y & z", "'=1+1,1.5 ± 0.2"]
    assert r"\caption{50\% of a\_b}" in render_latex(table)
    assert r"\textbf{=1+1} & \textbf{1.5 $\pm$ 0.2} \\" in render_latex(table)


@needs_browser
@pytest.mark.browser
def test_a_clip_plays_in_the_page(driver: Any, served: ReportServer) -> None:
    driver.get(served.address)
    for _ in range(100):
        if driver.execute_script("return document.documentElement.dataset.ready") == "yes":
            break
        time.sleep(0.1)
    open_question(driver, 0)
    driver.execute_script("document.querySelector('.question[open] .player button').click()")
    length = driver.execute_async_script(
        "const done = arguments[0]; const video = document.querySelector('.player video');"
        "video.addEventListener('loadedmetadata', () => done(video.duration));"
        "video.addEventListener('error', () => done('error')); if (video.readyState) done(video.duration);"
    )
    assert length != "error" and length > 0.5


@needs_browser
@pytest.mark.browser
def test_a_question_and_a_selection_have_a_link(driver: Any, tmp_path: Path) -> None:
    runs = [made_run(tmp_path / name, 60, seed=seed) for seed, name in enumerate(("one.run", "two.run"))]
    page = build_report(runs, tmp_path / "out").html
    visit(driver, page)
    choose = (
        "const field = document.getElementById(arguments[0]); field.value = arguments[1];"
        "field.dispatchEvent(new Event('change'));"
    )
    driver.execute_script(choose, "outcome", "fixed")
    driver.execute_script(choose, "order", "score-up")
    count, link = driver.execute_script(
        "return [document.getElementById('count').textContent, document.getElementById('link').href]"
    )
    assert link.endswith("#outcome=fixed&order=score-up")
    driver.get("about:blank")
    driver.get(link)
    time.sleep(1)
    assert driver.execute_script("return document.getElementById('count').textContent") == count
    driver.get(f"{page.as_uri()}#question=made%3A7&rollout=0&run=1")
    time.sleep(1)
    shown = driver.execute_script(
        "return [...document.querySelectorAll('.question')].map((node) => [node.open, node.innerText])"
    )
    assert len(shown) == 1 and shown[0][0] and "made:7" in shown[0][1] and "two" in shown[0][1]
    driver.execute_script(choose, "outcome", "runs-differ")
    rows = driver.execute_script(
        "return [...document.querySelectorAll('.question .where')].map((node) => node.textContent)"
    )
    assert len(rows) > 2 and rows[0].rsplit(" · ", 1)[0] == rows[1].rsplit(" · ", 1)[0]


@needs_browser
@pytest.mark.browser
def test_axe_finds_nothing(driver: Any, tmp_path: Path) -> None:
    axe = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    script = next(Path(axe.__file__).parent.rglob("axe.min.js")).read_text(encoding="utf-8")
    visit(driver, build_report([made_run(tmp_path / "made.run", 45)], tmp_path / "out").html)
    open_question(driver, 1)
    driver.execute_script(script)
    found = driver.execute_async_script("axe.run().then(arguments[0], (fault) => arguments[0](String(fault)))")
    faults = [(one["id"], one["nodes"][0]["html"][:160], len(one["nodes"])) for one in found["violations"]]
    assert faults == []
