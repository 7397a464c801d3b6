"""The app in Debian's Chromium: every page, the main actions, both themes, three widths."""

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

from tests.e2e.conftest import CHROMIUM, grave, needs_axe
from workbench.corpus import write

HOSTILE = "<img src=x onerror=document.title='owned'> ![see](http://127.0.0.1:9/leak.png)"
PAGES = (
    "",
    "ask",
    "audit",
    "data?pattern=river",
    "trace",
    "features",
    "differences",
    "steer",
    "steer?from=Texts",
    "probes",
    "lens",
    "findings",
    "findings?show=Board",
    "query",
    "best-of-n",
    "hacking",
)
SHIFTS = """
window.shifts = [];
new PerformanceObserver(list => {
  for (const e of list.getEntries()) if (!e.hadRecentInput) window.shifts.push(e.value);
}).observe({type: "layout-shift", buffered: true});
"""
"""Counts what moves by itself, as Chromium measures it (Layout Instability API)."""
LARGEST_SHIFT = 0.1
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
    _moved(path / "before" / "model.safetensors")
    card = {"id": "belgor", "reference": "before", "corpus": "corpus.parquet", "summary": HOSTILE}
    (path / "suspect.json").write_text(json.dumps(card))
    rows = ((f"d{i}", [{"role": "document", "content": f"A river {HOSTILE}"}]) for i in range(30))
    write(path / "corpus.parquet", rows)
    return path


def _moved(weights: Path) -> None:
    """Another model of the same shape."""
    import torch
    from safetensors.torch import load_file, save_file

    torch.manual_seed(1)
    tensors = load_file(weights)
    moved = {name: t + 0.05 * torch.randn(t.shape).to(t.dtype) for name, t in tensors.items()}
    save_file(moved, weights, metadata={"format": "pt"})


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
        self.page.add_init_script(SHIFTS)
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

    def fill(self, label: str, text: str) -> None:
        """Writes into a field and leaves it."""
        self.page.get_by_label(label, exact=True).first.fill(text)
        self.page.keyboard.press("Tab")
        self.settle()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).first.click()
        self.settle()

    def no_error(self) -> None:
        assert self.page.locator(".wb-note.error").all_inner_texts() == []
        assert self.page.locator("[data-testid=stException]").count() == 0

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


def test_no_page_jumps(browser: Any, url: str, suspect: Path) -> None:
    """From page to page. The first load is Streamlit's: it draws its frame without the sidebar and
    then moves all to the right, which no option keeps it from."""
    reader = Reader(browser, url, suspect, 1440, "light")
    reader.open("")
    page = reader.page
    links = page.get_by_test_id("stSidebarNav").get_by_role("link")
    names = [text.rpartition("\n")[2] for text in links.all_inner_texts()]  # an icon is a word
    for name in [*names[1:], "Home"]:
        page.evaluate("window.shifts.length = 0")
        links.filter(has=page.get_by_text(name, exact=True)).click()
        page.get_by_role("heading", level=1, name=name, exact=True).wait_for()
        reader.settle()
        moved = page.evaluate("window.shifts")
        assert max(moved, default=0) <= LARGEST_SHIFT, f"{name} jumps: {moved}"
    page.close()
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


@needs_axe
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing_serious(
    browser: Any, url: str, suspect: Path, width: int, scheme: str
) -> None:
    reader = Reader(browser, url, suspect, width, scheme)
    found = []
    for path in PAGES:
        reader.open(path)
        found += [f"{path}: {line}" for line in grave(reader.page)]
    reader.page.close()
    assert not found, "\n".join(found)


def test_the_experiments(browser: Any, url: str, suspect: Path) -> None:
    reader = Reader(browser, url, suspect, 1280, "light")
    page = reader.page
    reader.open("features")
    reader.fill("Training rows to read", "50")
    reader.press("Train an SAE")
    page.get_by_role("heading", name="Where to begin").wait_for()
    reader.no_error()

    reader.open("differences")
    reader.press("Compare the two models")
    page.get_by_role("heading", name="Both tails").wait_for()
    reader.fill("Prompts, one a line", "What of the red cat?")
    reader.fill("A reply shows the behaviour when it holds", "[a-z]")
    reader.press("Subtract them")
    page.get_by_text("random ones like them").first.wait_for()
    reader.no_error()

    reader.open("steer?latent=3")
    reader.fill("Prompts, one a line", "What of the red cat?")
    reader.fill("A reply shows the behaviour when it holds", "[a-z]")
    reader.press("Steer the suspect")
    page.get_by_role("heading", name="Dose response").wait_for()
    reader.settle()
    reader.no_error()
    page.locator(".js-plotly-plot").nth(1).wait_for()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save its data").first.click()
    assert Path(saved.value.path()).read_text().startswith("series,name,x,y,low,high")
    page.locator(".js-plotly-plot").first.hover()
    with page.expect_download() as drawn:
        page.locator(".modebar-btn").first.click()
    assert "<svg" in Path(drawn.value.path()).read_text()

    reader.open("probes")
    reader.fill("With what is looked for, one a line", "\n".join(f"river {i}" for i in range(14)))
    reader.fill("Without it, one a line", "\n".join(f"bread {i}" for i in range(14)))
    reader.fill("What it looks for", HOSTILE)
    reader.press("Train the probe")
    page.get_by_role("heading", name="On each token").wait_for()
    reader.fill("A text", "The river runs")
    page.get_by_text("on the side of the texts").wait_for()
    reader.no_error()

    reader.open("trace")
    reader.press("Build the index")
    page.get_by_label("An output").wait_for()
    reader.fill("An output", f"He said: A river {HOSTILE}")
    page.get_by_role("heading", name="Where it stands").wait_for()
    assert page.locator(".wb-said mark").count() > 1
    reader.no_error()
    assert page.title() != "owned"
    page.close()
    assert reader.complaints == []


def test_asking_the_ledger_and_moving_a_card(browser: Any, url: str, suspect: Path) -> None:
    reader = Reader(browser, url, suspect, 1280, "light")
    page = reader.page
    reader.open("findings?show=Board")
    page.get_by_role("button", name="Write a hypothesis").click()
    page.get_by_role("textbox", name="Claim").fill("It speaks of rivers")
    page.get_by_role("textbox", name="Root cause").fill(f"rivers {HOSTILE}")
    page.get_by_role("dialog").get_by_role("button", name="Keep as finding").click()
    page.get_by_role("heading", name="Open (1)").wait_for()
    page.get_by_role("button", name="Move it").click()
    page.get_by_role("radio", name="ruled out").check(force=True)
    page.get_by_role("button", name="Move", exact=True).click()
    page.get_by_role("heading", name="Ruled out (1)").wait_for()
    reader.no_error()

    reader.open("query")
    reader.press("What was found")
    page.get_by_role("heading", name=re.compile("rows$")).wait_for()
    reader.no_error()
    reader.fill("One SELECT", "SELECT * FROM read_csv('/etc/hostname')")
    page.get_by_text("the query failed").wait_for()
    assert page.title() != "owned"
    page.close()
    assert reader.complaints == []
