"""A real headless browser for pages on disk: Debian's chromium with its driver, or a plain reason why there is none."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def lacking() -> str | None:
    """Why no browser can be started here; None when one can."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        return "chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed: pip install selenium"
    return None


in_browser = [
    pytest.mark.enable_socket,
    pytest.mark.browser,
    pytest.mark.skipif(lacking() is not None, reason=str(lacking())),
]
"""The marks of a test that needs a browser."""


@contextmanager
def browser() -> Iterator[Any]:
    """A browser with an empty profile of its own."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service(shutil.which("chromedriver"))
        driver = webdriver.Chrome(options=options, service=service)
        try:
            yield driver
        finally:
            driver.quit()


def visit(driver: Any, page: Path, *, width: int = 1280, dark: bool = False) -> None:
    """Opens a page on disk at a width and a colour scheme, and waits until its questions can be filtered."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    driver.get(page.as_uri())
    until(driver, "return document.documentElement.dataset.ready === 'yes'")


def until(driver: Any, script: str) -> None:
    """Waits for a script to say yes."""
    for _ in range(600):
        if driver.execute_script(script):
            return
        time.sleep(0.05)
    raise AssertionError(f"the page never came to: {script}")


def open_question(driver: Any, number: int) -> str:
    """Opens one of the listed questions and gives the text of its section."""
    driver.execute_script("document.querySelectorAll('.question')[arguments[0]].open = true", number)
    found = f"const body = document.querySelectorAll('.question')[{number}].querySelector('.body'); return body"
    until(driver, f"{found} && !body.textContent.includes('Loading')")
    return str(driver.execute_script(f"{found}.textContent"))
