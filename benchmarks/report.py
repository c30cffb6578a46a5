"""The report of 5,000 questions: seconds to build, size of the page, and first paint in a headless browser.

Beside it, as the baseline, the same page with every question written out in it instead of packed: what it would weigh.
"""

import tempfile
import time
from pathlib import Path

from aurelia.bench.run_file import RunFile
from aurelia.report.build import build_report
from aurelia.report.rows import read_report_rows
from tests.support.bench_records import made_run
from tests.support.browser import browser, lacking, open_question, visit

QUESTIONS = 5000
ATTEMPTS = 3


def main() -> None:
    """Builds the page once and opens it three times."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = made_run(folder / "made.run", QUESTIONS, attempts=ATTEMPTS)
        began = time.perf_counter()
        written = build_report([run], folder / "report")
        seconds = time.perf_counter() - began
        size = written.html.stat().st_size
        with RunFile.open(run) as opened:
            plain = sum(len(repr(row.detail)) for row in read_report_rows(opened))
        print(f"report: {QUESTIONS} questions with {ATTEMPTS} attempts each, built in {seconds:.1f} s (at most 60 s)")
        print(f"report: one page of {size / 1e6:.1f} MB, {plain / size:.1f} times less than its questions written out")
        _paint(written.html)


def _paint(page: Path) -> None:
    if why := lacking():
        print(f"report: first paint not measured: {why}")
        return
    with browser() as driver:
        paints, opened = [], []
        for _ in range(3):
            visit(driver, page)
            script = "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
            paints.append(driver.execute_script(script) / 1000)
            began = time.perf_counter()
            open_question(driver, 30)
            opened.append(time.perf_counter() - began)
    shown = ", ".join(f"{seconds:.2f}" for seconds in paints)
    print(f"report: first contentful paint after {shown} s (at most 2 s); a question opens in {min(opened):.2f} s")


if __name__ == "__main__":
    main()
