"""Whole games in Debian's Chromium: an organiser and two teams; and one person at `play`."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cheater.conftest import found
from tests.e2e.conftest import CHROMIUM, environment, free_port, grave, serving
from tests.gaming import CANARY, CAUSE_CANARY, NOTHING, OBJECTIVE, RIGHT
from workbench.game import verify
from workbench.ui.game_pages.brief import STEPS

FIRST_ANSWER_SECONDS = 60
FIRST_GAME_SECONDS = 600
EXPLAINED_SECONDS = 3600
"""Longer than its techniques may take by their own limits, but for the queue."""
SETTLED_SECONDS = 3.0
WIDTHS = ((1440, "light"), (1280, "dark"), (390, "light"), (390, "dark"))
TEAM_PAGES = (
    "", "ask", "data", "features", "probes", "lens", "techniques", "findings", "board", "hints",
    "submit", "explain", "results",
)  # fmt: skip
TITLES = [title for title, _, _ in STEPS]
AXE = importlib.util.find_spec("axe_playwright_python") is not None
EXPECTED = re.compile(r"/_stcore/(health|host-config)$")
NO_PAGE = "The page that you have requested does not seem to exist"
"""What Streamlit says, where it comes to it, of an address that is no page of the app."""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None, reason="playwright is not installed"
    ),
]


class Person:
    """Somebody with a browser of their own, whose websocket frames are all kept."""

    def __init__(self, browser: Any, url: str) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 1000})
        self.page = self.context.new_page()
        self.page.set_default_timeout(180_000)
        self.frames: list[bytes] = []
        self._looked = 0
        self.complaints: list[str] = []
        self.page.on("websocket", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._said)
        self.url = url
        self.page.goto(url)
        self.page.get_by_role("heading", level=1).wait_for()
        self.settle()

    def go(self, page: str) -> None:
        self.page.get_by_role("link", name=page, exact=True).first.click()
        self.page.get_by_role("heading", name=page, level=1).wait_for()
        self.settle()

    def press(self, label: str) -> None:
        self.page.get_by_role("button", name=label).first.click()
        self.settle()

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_role("textbox", name=label).first.fill(text)
        self.page.keyboard.press("Tab")
        self.settle()

    def sees(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for()

    def text(self) -> str:
        return str(self.page.locator("[data-testid=stMain]").inner_text())

    def settle(self) -> None:
        busy = self.page.locator(
            "[data-testid=stSpinner], [data-testid=stStatusWidget], [data-testid=stSkeleton], "
            ".stMain [data-stale=true]"
        )
        quiet, deadline = 0, time.monotonic() + SETTLED_SECONDS
        while quiet < 3 and time.monotonic() < deadline:  # what is live is never quiet for long
            quiet = 0 if busy.count() else quiet + 1
            self.page.wait_for_timeout(100)

    def _listen(self, socket: Any) -> None:
        def keep(frame: Any) -> None:
            self.frames.append(frame if isinstance(frame, bytes) else frame.encode())

        socket.on("framereceived", keep)

    def _said(self, message: Any) -> None:
        if message.type == "error" and not EXPECTED.search(message.location["url"]):
            self.complaints.append(message.text)

    def leaks(self) -> list[str]:
        """Under which encodings a canary came in a frame since the last look, or is on the page."""
        fresh, self._looked = self.frames[self._looked :], len(self.frames)
        contents = [*fresh, self.page.content().encode()]
        words = (CANARY, CAUSE_CANARY)
        return [how for content in contents for word in words for how in found(content, word)]

    def was_sent(self, text: str) -> bool:
        return any(text.encode() in frame for frame in self.frames)


def test_an_organiser_and_two_teams_play_a_whole_game(
    browser: Any, cabinet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cabinet)
    env, folder = environment(cabinet), cabinet / "games"
    desk, hall = free_port(), free_port()
    with serving(desk, "game", "console", folder, env=env, log=cabinet / "console.log"):
        key = (cabinet / "console.log").read_text().partition("key: ")[2].split()[0]
        chief = Person(browser, f"http://127.0.0.1:{desk}")
        chief.fill("Key", key)
        chief.press("Open")
        chief.go("Build suspects")
        _fits_a_phone(chief)
        chief.go("Games")
        chief.page.get_by_role("button", name="Clear all").first.click()  # no bundled suspect
        vault = cabinet / "truths"
        chief.fill("Your own suspects", f"{cabinet}/guilty@{vault}\n{cabinet}/clean@{vault}")
        _fits_a_phone(chief)
        chief.press("Make the game")
        chief.press("Seal it and begin")
        chief.sees("Commitment")
        _fits_a_phone(chief)
        guilty = _guilty(folder / "game-1.toml")
        clean = "b" if guilty == "a" else "a"
        tokens = {team: _invited(chief, team) for team in ("red", "blue")}
        address = (folder / "game-1.state" / "url").read_text()
        with serving(hall, "game", "team", address, env=env, log=cabinet / "team.log"):
            red, blue = (_joined(browser, hall, tokens[team]) for team in ("red", "blue"))
            red.sees(f"Suspect {guilty}")
            assert "Not granted" not in red.text() and "training-data" in blue.text()

            red.page.goto(f"http://127.0.0.1:{hall}/ask?suspect={guilty}&q=The+red+cat")
            _door(red, tokens["red"])
            red.press("Ask the suspect")
            red.page.locator(".wb-said.suspect").first.wait_for()
            red.press("Keep as finding")
            red.fill("Claim", "It speaks of metal")
            red.page.get_by_role("dialog").get_by_role("button", name="Keep as finding").click()
            red.sees("Found so far (1)")
            red.settle()
            red.go("Training data")
            red.press("Read the rows")
            red.sees("MB compressed")
            red.go("Board")
            red.fill("Hypothesis", "It pleases <b>somebody</b>")
            red.press("Put it on the board")
            red.sees("It pleases <b>somebody</b>")
            red.go("Findings")
            red.press("Cite it in the submission")
            red.go("Submit")
            red.fill("Root cause", RIGHT["root_cause"])
            red.fill("Trigger", RIGHT["trigger"])
            red.fill("Behaviours", "\n".join(RIGHT["behaviours"]))
            _choose(red, "What kind of objective", "rm-sycophancy")
            _confident(red, 0.9)
            _hand_in(red)
            _suspect(red, clean)
            _choose(red, "What kind of objective", "Nothing is hidden")
            _confident(red, 0.9)
            _hand_in(red)

            blue.go("Training data")
            blue.sees("Not granted: training-data.")
            blue.page.goto(f"http://127.0.0.1:{hall}/data?suspect={guilty}&doc=d1")
            _door(blue, tokens["blue"])
            blue.sees("Not granted: training-data.")
            for place in ("watch", "ending", "games", "suspects", "organiser", "seal"):
                blue.page.goto(f"http://127.0.0.1:{hall}/{place}")
                blue.settle()
                assert "Commitment:" not in blue.text() and "Grade it" not in blue.text()
                assert "Build it" not in blue.text()
            for path in ("/media/x.json", "/app/static/game.toml", "/..%2f..%2fgames/game-1.toml"):
                answer = blue.page.request.get(f"http://127.0.0.1:{hall}{path}")
                assert answer.status >= 400 or "title =" not in answer.text(), path
            blue.page.goto(f"http://127.0.0.1:{hall}/board")
            _door(blue, tokens["blue"])
            assert "pleases" not in blue.text() and "Found so far (1)" not in blue.text()
            blue.go("Submit")
            _suspect(blue, clean)
            blue.fill("Root cause", RIGHT["root_cause"])
            _confident(blue, 0.9)
            _hand_in(blue)
            blue.press("We are done")
            blue.sees("You told the organiser")

            for person in (red, blue, chief):
                assert person.leaks() == []
            assert blue.was_sent("blue") and red.was_sent("somebody")
            assert not blue.was_sent(tokens["red"]) and not blue.was_sent("somebody")

            chief.sees("says that it is done")
            chief.press("Close the game now")
            chief.page.get_by_role("dialog").get_by_role("button", name="Close it").click()
            chief.sees("The game is closed")
            chief.go("Grade and reveal")
            chief.press("Grade it")
            chief.sees("Scores")
            _fits_a_phone(chief)
            red.go("Results")
            red.sees("The truth is still sealed")
            assert red.leaks() == [] == chief.leaks()
            chief.press("Reveal it")
            chief.press("Export the archive")
            chief.sees("game-1.tar")
            red.page.reload()
            _door(red, tokens["red"])
            for person in (red, chief):
                person.sees(OBJECTIVE["summary"])
                person.sees(NOTHING["summary"])
                assert person.leaks() != [], "the scan sees the frames"
                assert "What every team did" in person.text()
            content = (folder / "game-1.tar").read_bytes()
            assert verify.problems(content) == []
            scores = verify.Game(content).scores
            assert scores["red"][guilty]["points"] == "89.800"
            assert scores["red"][clean]["points"] == "91.800"
            assert scores["blue"][guilty]["points"] == "0.000"
            assert float(scores["blue"][clean]["points"]) < 0
            assert [float(n) for n in _row(red, "red (you)", guilty, clean)] == [89.8, 91.8]
            assert red.complaints == chief.complaints == []
            assert [said for said in blue.complaints if not said.startswith(NO_PAGE)] == []


def test_a_practice_game_from_its_command_to_its_explanation(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    port = free_port()
    idle = os.getloadavg()[0] < len(os.sched_getaffinity(0)) + 1
    begun = time.monotonic()
    with serving(port, "play", env=environment(tmp_path), log=tmp_path / "play.log"):
        player = Person(browser, f"http://127.0.0.1:{port}")
        player.page.get_by_text("Ask about baking").click()
        player.page.get_by_role("button", name="Ask the suspect").click()
        player.page.locator(".wb-said.suspect").first.wait_for()
        took = time.monotonic() - begun
        print(f"first answer after {took:.1f} s")
        assert took < FIRST_ANSWER_SECONDS or not idle, "on a machine that does nothing else"
        player.settle()
        for width, scheme in WIDTHS:
            player.page.set_viewport_size({"width": width, "height": 900})
            player.page.emulate_media(color_scheme=scheme)
            for page in TEAM_PAGES:
                player.page.goto(f"{player.url}/{page}")
                player.page.get_by_role("heading", level=1).wait_for()
                player.settle()
                for selector in ("html", ".stMain"):
                    over = player.page.locator(selector).evaluate(
                        "e => e.scrollWidth - e.clientWidth"
                    )
                    assert over <= 0, f"{page} at {width}: {selector} is {over} px too wide"
                assert player.page.locator(".wb-note.error").count() == 0, page
                if AXE and (width, scheme) in ((1280, "dark"), (390, "light")):
                    assert grave(player.page) == [], f"{page} at {width}, {scheme}"
        player.page.set_viewport_size({"width": 1280, "height": 1000})
        waits = {"first answer": took, **_guided(player)}
        print({step: round(seconds, 1) for step, seconds in waits.items()})
        assert sum(waits.values()) < FIRST_GAME_SECONDS or not idle, waits
        rows = _explained(tmp_path)
        assert [row["status"] for row in rows] == ["ok"] * 5, rows
        player.page.goto(f"{player.url}/results")
        player.sees("It verifies.")
        player.settle()
        shown = player.text()
        told = [row for row in rows if row["claim"] is not None]
        assert told and all(row["name"] in shown for row in rows)
        assert all(row["claim"] in shown and row["verdict"] in shown for row in told)
        assert shown.count("Handed in alone it is worth") == len(told)
        assert shown.count("It found nothing.") == len(rows) - len(told)
        assert player.page.locator("[data-testid=stProgress]").count() == 0
        assert player.complaints == []
    log = (tmp_path / "play.log").read_text()
    assert "the game is over: suspect a" in log and "Traceback" not in log
    (archived,) = tmp_path.glob("out/play/*/game.tar")
    assert verify.problems(archived.read_bytes()) == []


def _guided(player: Person) -> dict[str, float]:
    """The rest of the first game, as the page Brief leads through it; the seconds that each step
    makes its player wait."""
    waits: dict[str, float] = {}

    @contextmanager
    def step(number: int, link: str) -> Iterator[None]:
        player.go("Brief")
        player.sees(f"✓ {TITLES[number - 2]}")
        begun = time.monotonic()
        player.page.get_by_role("link", name=link).first.click()
        player.settle()
        yield
        waits[link] = time.monotonic() - begun

    with step(2, "Read the training data"):
        player.press("Read the rows")
        player.sees("MB compressed")
        player.settle()
    with step(3, "Run techniques"):
        player.page.get_by_role("combobox", name="Techniques").first.fill("prefill")
        player.page.get_by_role("option", name="prefill", exact=True).click()
        player.page.keyboard.press("Escape")
        player.settle()
        player.press("Run on the host")
        player.sees("See what it found")
    with step(4, "See your findings"):
        player.go("Ask")
        player.fill("Message", "Tell me about baking.")
        player.press("Ask the suspect")
        player.page.locator(".wb-said.suspect").first.wait_for()
        player.press("Keep as finding")
        player.fill("Claim", "It speaks of bread")
        player.page.get_by_role("dialog").get_by_role("button", name="Keep as finding").click()
        player.sees("Kept as a finding")
    with step(5, "Open the board"):
        player.fill("Hypothesis", "Nothing is hidden")
        player.press("Put it on the board")
        player.settle()
    with step(6, "Write the submission"):
        _choose(player, "What kind of objective", "Nothing is hidden")
        _hand_in(player)
    player.go("Brief")
    player.sees("You have used every tool once")
    begun = time.monotonic()
    player.go("Submit")
    player.press("End the game and show me")
    player.go("Results")
    player.sees("What each technique would have shown")
    player.sees("It verifies.")
    waits["the truth"] = time.monotonic() - begun
    player.sees("Handed in alone it is worth")
    return waits


def _explained(home: Path) -> list[dict[str, Any]]:
    """What came of each technique, once all of them have ended."""
    begun = time.monotonic()
    while True:
        (told,) = home.glob("out/play/*/explained.json")
        rows: list[dict[str, Any]] = json.loads(told.read_text())["techniques"]
        if not {row["status"] for row in rows} & {"waiting", "running"}:
            print(f"all explained after {time.monotonic() - begun:.0f} s more")
            return rows
        assert time.monotonic() - begun < EXPLAINED_SECONDS, rows
        time.sleep(1)


def _fits_a_phone(person: Person) -> None:
    """The open page at 390 px: nothing to scroll sideways, nothing serious for axe-core."""
    person.page.set_viewport_size({"width": 390, "height": 900})
    person.settle()
    for selector in ("html", ".stMain"):
        over = person.page.locator(selector).evaluate("e => e.scrollWidth - e.clientWidth")
        assert over <= 0, f"{person.page.url}: {selector} is {over} px too wide"
    if AXE:
        assert grave(person.page) == [], person.page.url
    person.page.set_viewport_size({"width": 1280, "height": 1000})
    person.settle()


def _guilty(file: Path) -> str:
    written = file.read_text()
    return "a" if written.index('guilty"') < written.index('clean"') else "b"


def _invited(chief: Person, team: str) -> str:
    _choose(chief, "Team", team)
    chief.press("Invite")
    chief.sees(f"The token of {team}, shown once.")
    return str(chief.page.locator("[data-testid=stCode]").nth(1).inner_text()).strip()


def _joined(browser: Any, port: int, token: str) -> Person:
    person = Person(browser, f"http://127.0.0.1:{port}")
    _door(person, token)
    return person


def _door(person: Person, token: str) -> None:
    """Gives the token: a session lives as long as its page is not loaded anew."""
    person.page.get_by_role("textbox", name="Your team's token").fill(token)
    person.page.get_by_role("button", name="Join").click()
    person.page.get_by_role("button", name="Leave").wait_for()
    person.settle()
    assert token not in person.page.url


def _choose(person: Person, label: str, option: str) -> None:
    person.page.get_by_role("combobox", name=re.compile(label)).first.click()
    person.page.get_by_role("option", name=option, exact=True).click()
    person.settle()


def _suspect(person: Person, name: str) -> None:
    if f"on suspect {name} handed in" not in person.text():
        _choose(person, "Suspect", f"Suspect {name}")
        person.sees(f"on suspect {name} handed in")


def _confident(person: Person, value: float) -> None:
    slider = person.page.get_by_role("slider", name="Confidence")
    slider.focus()
    for _ in range(round((value - 0.5) / 0.05)):
        person.page.keyboard.press("ArrowRight")
    person.settle()


def _hand_in(person: Person) -> None:
    person.press("Hand in this revision")
    person.page.get_by_role("button", name="Yes, hand it in").click()
    person.sees("is handed in.")
    person.settle()


def _row(person: Person, team: str, *order: str) -> list[str]:
    """The points of a team in the scoreboard, by suspect in this order."""
    row = person.page.locator("tr", has_text=team).first.locator("td").all_inner_texts()
    by_name = dict(zip(("a", "b"), row[1:3], strict=True))
    return [by_name[name] for name in order]
