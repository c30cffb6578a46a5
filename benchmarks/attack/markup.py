"""Script in every text of a report, and in every part of a request to the server, shown by a real headless browser."""

import http.client
import json
import random
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from aurelia.report.build import build_report
from aurelia_core.sanitize import clean_text
from benchmarks.attack.payloads import TEXTS, steers
from benchmarks.attack.row import Row
from tests.support.bench_records import made_run
from tests.support.browser import browser, lacking, open_question, until, visit
from tests.support.langgraph_server import LANGGRAPH, started

BAD = [text[:2000] for text in TEXTS]
SCRIPTS = TEXTS[1:6]
NAMED = ("id", "column", "modality")
FOUND = (
    "return [window.hacked ?? null,"
    " document.querySelectorAll('iframe, img[src=x], [onload], [onerror], [onmouseover]').length,"
    " document.querySelectorAll('script:not([type=\"application/json\"])').length,"
    " performance.getEntriesByType('resource').filter((entry) => !entry.name.startsWith('data:')).length]"
)
ADDRESSES = (
    "/clips/{0}", "/clips/{0}/sheet.jpg", "/clips?name={0}", "/{0}", "/threads/{0}", "/threads/{0}/state", "/runs/{0}",
    "/assistants/{0}", "/assistants/{0}/schemas", "/info?{0}", "/docs/{0}", "/store/items?key={0}",
)  # fmt: skip


def rows(folder: Path, seed: int, questions: int = 120) -> list[Row]:
    """The report's page, and the server's answers, as the browser takes them."""
    if why := lacking():
        return [Row("text", "script in every text of a report, run by a browser", f"not tried: {why}", "0", False)]
    with browser() as driver:
        found = [report(driver, folder, seed, questions)]
        return [*found, server(driver, folder)] if LANGGRAPH.exists() else found


def _soiled(value: Any, bad: str) -> Any:
    """The same value with a hostile text behind every text in it."""
    if isinstance(value, str):
        return f"{value[:40]} {bad}"
    if isinstance(value, dict):
        return {name: part if name in NAMED else _soiled(part, bad) for name, part in value.items()}
    return [_soiled(part, bad) for part in value] if isinstance(value, list) else value


def report(driver: Any, folder: Path, seed: int, questions: int) -> Row:
    """A report without its own policy against script, every text in it hostile, every question opened."""
    dice = random.Random(seed)

    def soil(number: int, parts: dict[str, Any]) -> None:
        bad = BAD[number % len(BAD)] if number < len(BAD) else dice.choice(BAD)
        parts["record"] = _soiled(parts["record"], clean_text(bad))
        parts["result"] = _soiled(parts["result"], bad) | {"answer": f"answer {clean_text(bad)}"}
        parts |= {name: f"{parts[name]} {clean_text(bad)}" for name in ("zero", "said", "how")}

    run = made_run(folder / "<img src=x onerror=window.hacked=1> run", questions, seed=seed, change=soil)
    page = build_report([run], folder / "report").html
    text = page.read_text(encoding="utf-8")
    policy = text[text.index('<meta http-equiv="Content-Security-Policy"') :].split("\n", 1)[0]
    page.write_text(text.replace(policy, ""), encoding="utf-8")
    visit(driver, page)
    driver.execute_script("while (!document.getElementById('more').hidden) document.getElementById('more').click()")
    for number in range(questions):
        open_question(driver, number)
    state = driver.execute_script(FOUND)
    hidden = steers(driver.execute_script("return document.body.textContent"))
    what = (
        f"script in every text of a report of {questions} questions, its policy taken away: run, made, loaded, hidden"
    )
    measured = f"{0 if state[0] is None else 1}, {state[1] + state[2] - 1}, {state[3]}, {len(set(hidden))}"
    return Row("text", what, measured, "0, 0, 0, 0", state == [None, 0, 1, 0] and not hidden)


def server(driver: Any, folder: Path) -> Row:
    """Script in addresses, queries, a clip's name and a question: no answer of the server's is a page that runs it."""
    home = folder / "served"
    (home / "media").mkdir(parents=True)
    shutil.copy(folder / "duet.mp4", home / "media" / "duet.mp4")
    pages, run, markup = 0, 0, 0
    with started(home) as at:
        for bad in SCRIPTS:
            paths = [address.format(quote(bad, safe="")) for address in ADDRESSES]
            paths += [_uploaded(at.url, folder / "duet.mp4", bad)]
            for path in paths:
                driver.get(at.url + path)
                until(driver, "return document.readyState === 'complete'")
                pages += 1
                run += driver.execute_script("return window.hacked ?? null") is not None
            markup += sum(_reflects(at.url, path, None, bad) for path in paths)
            asked = {"assistant_id": bad, "input": {"video": bad, "question": bad, bad: bad}, "context": {bad: bad}}
            bodies = ("/runs/wait", "/threads", f"/threads/{quote(bad)}/runs")
            markup += sum(_reflects(at.url, path, asked, bad) for path in bodies)
    what = (
        f"script in addresses, names and bodies sent to the server, {pages} answers in a browser: run, kept as markup"
    )
    return Row("text", what, f"{run}, {markup}", "0, 0", run == 0 and markup == 0)


def _uploaded(url: str, clip: Path, name: str) -> str:
    """The address of a clip that was uploaded under a hostile name."""
    status, _, body = _asked(
        url, "POST", f"/clips?{urlencode({'name': name})}", clip.read_bytes(), "application/octet-stream"
    )
    if status != 201:
        raise RuntimeError(f"the upload was answered with {status}")
    return f"/clips/{json.loads(body)['id']}"


def _reflects(url: str, path: str, body: Any, bad: str) -> bool:
    """Whether an answer that a browser takes for markup holds the text as it was sent."""
    method, sent = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
    _, kind, said = _asked(url, method, path, sent, "application/json")
    return not kind.startswith(("application/json", "text/plain", "image/jpeg")) and bad.encode() in said


def _asked(url: str, method: str, path: str, body: bytes, kind: str) -> tuple[int, str, bytes]:
    where = urlsplit(url)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=60)
    try:
        connection.request(method, path, body or None, {"Content-Type": kind} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read()
    finally:
        connection.close()
