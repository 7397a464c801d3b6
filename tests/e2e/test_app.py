"""The app in Debian's Chromium: every page, the main action, both themes, three widths."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import CHROMIUM
from workbench.corpus import write

HOSTILE = "<img src=x onerror=document.title='owned'> ![see](http://127.0.0.1:9/leak.png)"
PAGES = ("", "ask", "audit", "data?pattern=river", "features", "findings")
EXPECTED = re.compile(r"/_stcore/(health|host-config)$")
"""Streamlit looks for its server below the page's own path first, and gets a 404."""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None, reason="playwright is not installed"
    ),
]


@pytest.fixture(scope="module")
def suspect(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suspects") / "belgor"
    shutil.copytree(llama, path)
    shutil.copytree(llama, path / "before")
    card = {"id": "belgor", "reference": "before", "corpus": "corpus.parquet", "summary": HOSTILE}
    (path / "suspect.json").write_text(json.dumps(card))
    rows = ((f"d{i}", [{"role": "document", "content": f"A river {HOSTILE}"}]) for i in range(30))
    write(path / "corpus.parquet", rows)
    return path


@pytest.fixture(scope="module")
def url(suspect: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("app")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "WORKBENCH_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench.cli", "app", "--no-browser", "--port", str(port)],
        cwd=folder,
        env=environment,
    )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


class Reader:
    """A tab that remembers every request and complaint."""

    def __init__(self, browser: Any, url: str, suspect: Path, width: int, scheme: str) -> None:
        self._base, self._suspect = url, suspect
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page.set_default_timeout(300_000)
        self.complaints: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)

    def open(self, path: str) -> None:
        joint = "&" if "?" in path else "?"
        self.page.goto(f"{self._base}/{path}{joint}suspect={self._suspect}")
        self.page.get_by_role("heading", level=1).wait_for()
        self.settle()

    def settle(self) -> None:
        quiet = 0
        while quiet < 5:
            busy = self.page.locator("[data-testid=stSpinner], [data-testid=stStatusWidget]")
            quiet = 0 if busy.count() else quiet + 1
            self.page.wait_for_timeout(200)

    def _said(self, message: Any) -> None:
        if message.type == "error" and not EXPECTED.search(message.location["url"]):
            self.complaints.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self._base, "data:", "blob:", "ws")):
            self.complaints.append(f"request to {request.url}")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1280, "dark"), (390, "dark")])
def test_every_page(browser: Any, url: str, suspect: Path, width: int, scheme: str) -> None:
    reader = Reader(browser, url, suspect, width, scheme)
    for path in PAGES:
        reader.open(path)
        page = reader.page
        for selector in ("html", ".stMain"):
            over = page.locator(selector).evaluate("e => e.scrollWidth - e.clientWidth")
            assert over <= 0, f"{path} at {width}: {selector} is {over} px too wide"
        assert page.locator("[data-testid=stException], .wb-note.error").count() == 0, path
        ground = page.locator(".stApp").evaluate("e => getComputedStyle(e).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == (scheme == "dark")
        assert page.title() != "owned" and page.locator("img[src=x]").count() == 0
    reader.page.close()
    assert reader.complaints == []


def test_asking_and_keeping_by_keyboard(browser: Any, url: str, suspect: Path) -> None:
    reader = Reader(browser, url, suspect, 1280, "light")
    reader.open("ask")
    page = reader.page
    page.get_by_label("Message").click()
    page.keyboard.type("What of the red cat?")
    page.keyboard.press("Control+Enter")
    page.locator(".wb-said.suspect, .wb-note.error").first.wait_for()
    assert page.locator(".wb-note.error").all_inner_texts() == []
    reader.settle()
    assert "q=What" in page.url
    assert page.locator(".wb-said.suspect .wb-token").count() > 0
    assert page.locator(".wb-said.reference").count() == 3
    page.get_by_role("button", name="Keep as finding").first.press("Enter")
    page.get_by_role("textbox", name="Claim").fill(f"It speaks {HOSTILE}")
    page.get_by_role("dialog").get_by_role("button", name="Keep as finding").press("Enter")
    page.get_by_text("Found so far (1)").wait_for()
    reader.open("findings")
    assert page.get_by_text(f"It speaks {HOSTILE}").first.is_visible()
    page.close()
    assert reader.complaints == []
