"""Teams at the pages: what they may not have is on no page, whatever the address says."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from tests.cheater.conftest import found
from tests.gaming import CANARY, CAUSE_CANARY, RIGHT, Played, hand_in
from tests.pages import PAGES, everything, html, lobby, opened, press
from workbench.findings import Finding
from workbench.ui import serve
from workbench.ui.visit import Visit

UI = Path(serve.__file__).parent
TEAMS_SEE = (
    "pages", "game_pages", "visit.py", "keep.py", "evidence.py", "where.py", "outcome.py",
    "pickers.py", "running.py", "tints.py", "judged.py",
)  # fmt: skip


def leaks(content: bytes) -> list[str]:
    return [how for word in (CANARY, CAUSE_CANARY) for how in found(content, word)]


def spent(visit: Visit) -> Any:
    return visit.brief(now=True)["suspects"]["a"]["spent"]


@pytest.mark.parametrize("team", ["red", "blue"])
def test_no_page_holds_the_seal_or_a_token(played: Played, team: str) -> None:
    with played.board() as board:
        if team == "red":
            hand_in(board, "red", "a", RIGHT)
    with lobby(played.host.url, played.tokens[team]):
        for page in PAGES:
            app = opened(page, suspect="a")
            sent = everything(app)
            assert "wb-note error" not in html(app), (page, html(app))
            assert re.search(r"8 h \d+ min left", html(app)), page
            assert leaks(sent) == [], page
            assert not any(token.encode() in sent for token in played.tokens.values()), page
            assert str(played.definition.state).encode() not in sent, page
        Visit(played.host.url, played.tokens[team]).seat("a").keep(Finding(CANARY, 0.1))
        assert leaks(everything(opened("findings", suspect="a"))), "the scan sees what pages send"


def test_an_address_grants_nothing(played: Played) -> None:
    with lobby(played.host.url, played.tokens["blue"]):
        blue = Visit(played.host.url, played.tokens["blue"])
        before = spent(blue)
        for query in (
            {"doc": "d1"},
            {"pattern": "text", "how": "Pattern"},
            {"how": "Contrast", "only": "true"},
            {"how": "Words", "words": "text", "sae": "x", "latent": "1"},
        ):
            app = opened("data", suspect="a", **query)
            assert "Not granted: training-data" in html(app)
            assert b"wb-said" not in everything(app).partition(b"<style>")[0]
        assert spent(blue) == before
        app = opened("ask", suspect="a", q="echo me", prefill="I confess", beside="true", n="1")
        (prefill,) = [a for a in app.text_area if a.label == "Prefill"]
        assert prefill.disabled and not [c for c in app.checkbox if "reference" in c.label]
        press(app, "Ask the suspect")
        shown = html(app)
        assert "wb-note error" not in shown and "I confess" not in shown
        assert "reference: p" not in shown and "suspect: p" not in shown
        after = spent(blue)
        assert after["suspect"]["samples"]["used"] == before["suspect"]["samples"]["used"] + 1
        assert after["suspect"]["forward_passes"] == before["suspect"]["forward_passes"]
        assert after["reference"] == before["reference"]
        assert "topic-sweep" not in str(
            opened("techniques", techniques="prefill").multiselect[0].value
        )
    with lobby(played.host.url, played.tokens["green"]):
        app = opened("ask", suspect="a")
        assert not [box for box in app.selectbox if box.label == "Suspect"], "there is one alone"
        assert "Suspect <b>b</b>" in html(app), "a suspect without a seat is none"


def test_one_teams_work_is_on_no_page_of_another(played: Played) -> None:
    """Both in one process, as visitors of one server; the first one has warmed every page."""
    mark = "zinnober-of-red"
    with lobby(played.host.url) as shared:
        red, blue = (Visit(played.host.url, played.tokens[team]) for team in ("red", "blue"))
        red.seat("a").fetch("suspect", 10)
        kept = red.seat("a").keep(Finding(mark, 0.4))
        red.team.suppose("a", {"says": mark})
        for page in PAGES:
            opened(page, team=red, suspect="a", pattern="text", finding=kept)
        assert mark.encode() in everything(opened("board", team=red, suspect="a"))
        row = b"<mark>text</mark> 1"
        assert row in everything(opened("data", team=red, suspect="a", pattern="text"))
        for page in PAGES:
            sent = everything(opened(page, team=blue, suspect="a", pattern="text", finding=kept))
            assert mark.encode() not in sent and row not in sent, page
            assert kept.encode() not in sent and not re.search(rb"\bred\b", sent), page
        assert red.folder("a") != blue.folder("a") and not blue.folder("a").exists()
        assert shared.folder.stat().st_mode & 0o077 == 0
    assert not shared.folder.exists(), "the rows go with the process"


def test_a_forged_token_opens_nothing(played: Played) -> None:
    with lobby(played.host.url):
        for token in ("", "wb-00000000-x", played.tokens["red"][:-1], "ü", "a\nb"):
            app = opened("findings", token=token)
            app.text_input[0].set_value(token)
            press(app, "Join")
            assert [b.label for b in app.button] == ["Join"]
            assert "wb-note error" in html(app) and "Traceback" not in html(app)


def test_no_cache_of_the_pages_is_shared_between_visitors() -> None:
    files = [f for name in TEAMS_SEE for f in ((UI / name).rglob("*.py") if (UI / name).is_dir()
             else [UI / name])]  # fmt: skip
    seen = 0
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("cache_data", "cache_resource"):
                seen += 1
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("st.cache"):
                scopes = [k.value.value for k in node.keywords if k.arg == "scope"]  # type: ignore[attr-defined]
                assert scopes == ["session"], f"{file.name}: {ast.unparse(node)}"
                seen -= 1
    assert seen == 0, "a cache is used without being called with its scope"


def test_how_pages_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback goes out, nothing but this machine is listened to, nothing else is served."""
    from streamlit.web import bootstrap

    given: dict[str, Any] = {}
    monkeypatch.setattr(bootstrap, "load_config_options", lambda flag_options: None)
    monkeypatch.setattr(bootstrap, "run", lambda main, _, args, flags: given.update(flags))
    monkeypatch.setattr(serve.threading, "Thread", lambda **started: Mock())
    serve.serve(serve.Served("team", 8599, True))
    assert given["client_showErrorDetails"] == "none"
    assert given["server_address"] == "127.0.0.1"
    assert given["server_allowedHosts"] == ["127.0.0.1", "localhost"]
    assert given["server_enableStaticServing"] is given["server_enableAgentApi"] is False
    assert given["server_headless"] is True, "else any visitor may have files written here"
    assert given["server_maxMessageSize"] == serve.FRAME_MB < 50
    assert given["server_maxUploadSize"] == 1, "a team's pages take no file"
    assert given["server_enableXsrfProtection"] is given["server_enableCORS"] is True
