"""Probes and the lens in a game on a real model: metered by its host, refused by its host."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.gaming import OBJECTIVE, Played, defined
from tests.pages import at_once, html, lobby, opened, press
from tests.unit.ui.conftest import Here
from workbench.access import Access, Budget
from workbench.battery import SuspectFiles
from workbench.errors import AccessDenied
from workbench.game import organiser
from workbench.game.definition import Seat
from workbench.game.sealing import hosting
from workbench.suspects import Suspect
from workbench.ui.jobs import Jobs
from workbench.ui.reads import held
from workbench.ui.visit import Visit

INSIDE = Access.ACTIVATIONS | Access.LOGITS | Access.CHAT
WITH = [f"The river runs past hill {i} and sings" for i in range(14)]
WITHOUT = [f"Bread number {i} is baked in the old house" for i in range(14)]


@pytest.fixture(scope="module")
def game(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Red reads inside, with 120 passes; blue has no logits, green but three passes."""
    made = defined(tmp_path_factory.mktemp("game"), hours=9)
    seats = {
        "red": Seat(INSIDE, Budget(forward_passes=120)),
        "blue": Seat(Access.ACTIVATIONS | Access.CHAT, Budget(forward_passes=120)),
        "green": Seat(INSIDE, Budget(forward_passes=3)),
    }
    teams = {team: {"a": seat} for team, seat in seats.items()}
    one = dataclasses.replace(made, suspects=made.suspects[:1], seats=teams, hints=())
    one = dataclasses.replace(one, call_seconds=300)
    with hosting(one, {"a": SuspectFiles(str(llama))}, {"a": OBJECTIVE}) as host:
        with organiser.board_of(one) as board:
            tokens = {team: organiser.invite(board, team) for team in teams}
        suspect = Suspect.load(f"{host.url}/suspects/a", token=tokens["red"])
        list(suspect.activations(["now it is loaded"], [suspect.residual_hook(0)]))
        yield Played(one, host, tokens)


@pytest.fixture
def joined(game: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A team's pages; what reads for it does so in this process, under its token."""
    at_once(monkeypatch)
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))

    @contextmanager
    def join(team: str) -> Iterator[Visit]:
        monkeypatch.setenv("WORKBENCH_TOKEN", game.tokens[team])
        held.suspect.cache_clear()
        with lobby(game.host.url, game.tokens[team]) as made:
            desk, jobs = Here("workbench.ui.reads.features"), Jobs(tmp_path / team)
            made.inside = lambda visit: (desk, jobs)  # type: ignore[assignment, return-value]
            yield Visit(game.host.url, game.tokens[team])

    return join


def spent(visit: Visit) -> int:
    return int(visit.brief(now=True)["suspects"]["a"]["spent"]["suspect"]["forward_passes"]["used"])


def test_the_lens_is_read_through_the_host_and_paid_for_once(joined: Any, llama: Path) -> None:
    with joined("red") as red:
        before = spent(red)
        app = opened("lens", said="What of rivers?", text="The river sings")
        assert spent(red) == before, "an address spends nothing"
        assert "It takes at most 4 of " in html(app)
        press(app, "Read its layers")
        shown = html(app)
        assert "The likeliest next token by layer" in shown and 'class="wb-lens"' in shown
        assert spent(red) == before + 4
        app.run()
        assert spent(red) == before + 4, "what was read stays"
        found = red.seat("a").latents("lens", said="", text="The river sings", both=True)
        local = Here("workbench.ui.reads.lens").ask(
            "lens", suspect=str(llama), said="", text="The river sings", both=False
        )
        assert found["top"] and found["layers"] == [0, 1, 2] and not found["beside"]
        said = [[[t for t, _ in cell] for cell in row] for row in found["top"]]
        assert said == [[[t for t, _ in cell] for cell in row] for row in local["top"]]
        assert spent(red) == before + 8


def test_what_a_budget_does_not_reach_is_not_begun(joined: Any) -> None:
    with joined("green") as green:
        app = opened("lens", text="The river sings")
        assert "4 of 3 forward passes left" in html(app) and "shorter text" in html(app)
        press(app, "Read its layers")
        assert spent(green) == 0 and 'class="wb-lens"' not in html(app)

        app = opened("probes", one="\n".join(WITH), two="\n".join(WITHOUT), title="rivers")
        assert "give fewer texts" in html(app)
        (train,) = [b for b in app.button if b.label == "Train the probe"]
        assert train.disabled


def test_what_is_not_granted_is_the_hosts_to_refuse(joined: Any) -> None:
    with joined("blue") as blue:
        shown = html(opened("lens", text="The river sings"))
        assert "Not granted: logits." in shown and "the seal covers that" in shown
        before = spent(blue)
        with pytest.raises(AccessDenied):
            blue.seat("a").latents("lens", said="", text="The river sings", both=False)
        assert spent(blue) <= before + 1, "its activations, which it may read"


def test_a_probe_is_trained_and_read_through_the_host(joined: Any) -> None:
    with joined("red") as red:
        app = opened("probes", one="\n".join(WITH), two="\n".join(WITHOUT))
        assert "There is no probe of this suspect yet" in html(app)
        assert "56 forward passes at most" in html(app) and "no row of the training" in html(app)
        (title,) = [t for t in app.text_input if t.label == "What it looks for"]
        title.set_value("rivers")
        (kind,) = [s for s in app.selectbox if s.label == "Kind"]
        kind.set_value("difference").run()
        assert "Texts from" not in [g.label for g in app.button_group], "nothing is uploaded here"
        before = spent(red)
        press(app, "Train the probe")
        shown = html(app)
        assert "AUROC" in shown and "rivers" in shown and 28 <= spent(red) - before <= 56
        app = opened("probes", text="The river sings")
        after = spent(red)
        assert "on the side of the texts" in html(app)
        app.run()
        assert spent(red) == after, "a text is read once in a visit"


def test_the_suspect_of_these_pages_is_never_loaded_here(joined: Any) -> None:
    with joined("red") as red:
        assert red.seat("a").source().startswith("http://")
        assert type(red.seat("a").suspect()) is not Suspect
