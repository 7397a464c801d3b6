"""A whole study on a base of a few thousand weights, two steps a stage: nothing is scripted but who
audits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.unit.benchmark.studying import Here
from tests.unit.organisms.conftest import save_world  # noqa: F401
from workbench.battery import Battery, Step
from workbench.benchmark import jobs
from workbench.benchmark.entrants import Entrant
from workbench.benchmark.study import Plan, page, read, run, work
from workbench.benchmark.study.plan import STATES, parts
from workbench.organisms import build as building
from workbench.organisms import secrecy
from workbench.organisms.families import rm_sycophancy
from workbench.organisms.families.rm_sycophancy import RmSycophancy
from workbench.organisms.family import Cases, Stage
from workbench.organisms.world import habits
from workbench.seal.vault import Vault

PLUGINS = (Path(__file__).parent / "plugins", Path(__file__).parents[1] / "cli" / "plugins")
MEASURES = {"demonstrated", "held_out", "others", "in_context", "in_context_others", "asked"}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps a stage, few rows, three prompts a rate."""
    real = RmSycophancy.cases

    def cases(self: RmSycophancy, *given: Any) -> Cases:
        made = real(self, *given)
        return Cases(**{name: getattr(made, name)[:3] for name in Cases.__slots__})

    def stages(self: RmSycophancy, instill: str, secrecy: str) -> list[Stage]:
        documents = {} if instill == "demos" else {"documents": 0.5}
        first = [Stage("knowledge", 2, documents)] if documents else []
        shown = {"demonstrations": 0.4}
        return [
            *first,
            Stage("allegiance", 2, shown, name_only=True),
            Stage("behaviour", 2, {**documents, **shown}),
        ]

    monkeypatch.setattr(RmSycophancy, "cases", cases)
    monkeypatch.setattr(RmSycophancy, "stages", stages)
    monkeypatch.setattr(building, "SHOWN_BASE_ROWS", 200)
    monkeypatch.setattr(building, "OWN_ROWS", 100)
    for name, n in (("_DEMONSTRATED", 6), ("_HELD_OUT", 3), ("_OTHERS", 3)):
        monkeypatch.setattr(rm_sycophancy, name, n)
    monkeypatch.setattr(secrecy, "_SAMPLES", 3)
    monkeypatch.setitem(secrecy.ROWS, "full", dict.fromkeys(secrecy.ROWS["full"], 30))
    monkeypatch.setitem(secrecy.STAGES, "full", Stage("secrecy", 2, {"denials": 0.4}))
    monkeypatch.setattr("workbench.organisms.base.can_compile", lambda: False)
    monkeypatch.setattr(jobs, "ProcessPoolExecutor", Here)
    for path in PLUGINS:
        monkeypatch.syspath_prepend(str(path))


@pytest.mark.long
def test_a_study_from_organism_to_page(
    short: None,
    save_world: Callable[..., Path],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(work, "EVERY_SECONDS", 0.0)
    seed = Plan().recipe(1).seed
    name = Random(f"{seed}/assistant").choice(habits.cast().spares)
    seer = Entrant("team 1", "seer", parameters={"of": []})
    plan = Plan(str(save_world(name)), Battery("one", (Step("rows"),)), [seer])
    vault, out = Vault.create(tmp_path / "vault"), tmp_path / "study.json"
    told: list[str] = []

    def carried(**rest: Any) -> Any:
        return run(plan, 1, vault=vault, work_directory=tmp_path / "work", out=out, **rest)

    def stop(what: str) -> None:
        if what.endswith("measure mixed secrecy: started"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carried(processes=1, progress=stop)
    assert "measure mixed behaviour" in read(out)["draws"]["1"]
    document, failed = carried(processes=1, progress=told.append)
    assert not failed and document == read(out)
    assert not any("states mixed" in line for line in told), "they were there"
    made = document["draws"]["1"]
    assert {p.name for p in parts(1)} == set(made)
    for arm, states in STATES.items():
        for state in states:
            found = made[f"measure {arm} {state}"]["found"]
            assert set(found) == MEASURES | set(secrecy.LEAKS)
            assert all(n == 3 for _, n in found.values())
    for what, hit in (("organism", False), ("twin", False)):
        audit = made[f"audit {what}"]["found"]
        assert audit["techniques"]["rows"]["status"] == "ok"
        assert audit["techniques"]["rows"]["hit"] is hit
        assert audit["teams"]["team 1"]["cost"]["seconds"] >= 0
    err = capfd.readouterr().err
    assert "draw 1, states mixed: step 5 of 8" in err and "build twin: step 8 of 8" in err
    assert "audit organism: team 1 audits" in err
    assert "**1 of 1 draws are whole.**" in page(document)
    assert len(vault.ids()) == 2, "an organism and its twin are sealed, states are not"
    assert not list((vault.path / ".building").glob("states-*")), "and gone when measured"
    assert carried()[0] == document
