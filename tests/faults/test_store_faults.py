"""A ledger whose files were cut, flipped or edited says so, or still holds everything."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.errors import LedgerDamaged, LedgerError
from workbench.findings import Finding
from workbench.ledger import Ledger, Run

RUNS = 4

WRITE_AND_DIE = """
import os, sys
import duckdb
from workbench.findings import Finding
from workbench.ledger import Ledger, Run
from workbench.ledger.schema import _SEALED_OFF, STORAGE_VERSION

ledger = Ledger(sys.argv[1])
ledger.record(Run("r-0", "g", "k0", "s", "t", 1, "ok"))
# a connection that stays open keeps the others from folding the log into the file
open_one = duckdb.connect(
    sys.argv[1], config={**_SEALED_OFF, "storage_compatibility_version": STORAGE_VERSION}
)
exists = type(ledger.path).exists
type(ledger.path).exists = lambda path: exists(path) and not path.name.endswith(".wal")
for number in range(1, int(sys.argv[2])):
    run = Run(f"r-{number}", "g", f"k{number}", "s", "t", 1, "ok")
    ledger.record(run, [Finding(f"finding {number}", 0.5)])
os._exit(0)
"""


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger whose process died right after an acknowledgement, its log not yet folded in."""
    path = tmp_path_factory.mktemp("crashed") / "ledger.duckdb"
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(path), str(RUNS)], check=True)
    assert path.with_name("ledger.duckdb.wal").stat().st_size > 0
    return path


@pytest.fixture
def ledger(crashed: Path, tmp_path: Path) -> Ledger:
    for file in crashed.parent.iterdir():
        shutil.copy(file, tmp_path)
    return Ledger(tmp_path / "ledger.duckdb")


def contents(ledger: Ledger) -> list[tuple[str, list[str]]]:
    entries = ledger.entries()
    return [(r.id, [e.finding.claim for e in entries if e.run == r.id]) for r in ledger.runs()]


WHOLE = [("r-0", []), *((f"r-{n}", [f"finding {n}"]) for n in range(1, RUNS))]


def test_a_crash_after_the_acknowledgement_loses_nothing(ledger: Ledger) -> None:
    assert contents(ledger) == WHOLE
    assert ledger.verify()["status"] == "complete"
    ledger.record(Run("r-next", "g", "k", "s", "t", 1, "ok"))
    assert ledger.verify()["status"] == "complete"


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_cut_log_is_reported_and_not_written_over(share: float, ledger: Ledger) -> None:
    log = ledger.path.with_name("ledger.duckdb.wal")
    content = log.read_bytes()
    log.write_bytes(content[: int(len(content) * share)])
    before = _bytes(ledger)
    verdict = ledger.verify()
    assert verdict["status"] == "damaged"
    assert verdict["missing"] >= 1
    with pytest.raises(LedgerDamaged, match="untouched"):
        ledger.record(Run("r-next", "g", "k", "s", "t", 1, "ok"))
    assert _bytes(ledger) == before


def test_a_lost_log_is_reported(ledger: Ledger) -> None:
    ledger.path.with_name("ledger.duckdb.wal").unlink()
    verdict = ledger.verify()
    assert (verdict["status"], verdict["runs"], verdict["missing"]) == ("damaged", 1, RUNS - 1)
    with pytest.raises(LedgerDamaged, match=f"{RUNS} events were acknowledged, 1 are there"):
        ledger.record(Run("r-next", "g", "k", "s", "t", 1, "ok"))


@pytest.mark.parametrize("name", ["ledger.duckdb", "ledger.duckdb.wal"])
def test_a_flipped_byte_is_reported_or_changes_nothing(name: str, ledger: Ledger) -> None:
    file = ledger.path.with_name(name)
    content = file.read_bytes()
    draw = random.Random(5)
    reported = 0
    for place in draw.sample(range(len(content)), 8):
        flipped = bytearray(content)
        flipped[place] ^= 1 << draw.randrange(8)
        file.write_bytes(flipped)
        status = ledger.verify()["status"]
        reported += status == "damaged"
        assert status == "damaged" or contents(ledger) == WHOLE, place
    assert reported >= 3


def test_a_damaged_anchor_is_reported(ledger: Ledger) -> None:
    head = ledger.path.with_name("ledger.duckdb.head")
    for content in ("", "{}x", '{"seq": "1"}', '{"more": 1}', "[1]"):
        head.write_text(content)
        assert ledger.verify()["status"] == "damaged", content
        with pytest.raises(LedgerDamaged, match=r"\.head file is damaged"):
            ledger.record(Run("r-next", "g", "k", "s", "t", 1, "ok"))


def test_an_older_copy_put_in_place_is_reported(ledger: Ledger, tmp_path: Path) -> None:
    ledger.record(Run("r-a", "g", "k", "s", "t", 1, "ok"))
    old = ledger.path.read_bytes()
    ledger.record(Run("r-b", "g", "k", "s", "t", 1, "ok"))
    ledger.path.write_bytes(old)
    assert ledger.verify()["missing"] == 1
    ledger.path.with_name("ledger.duckdb.head").unlink()
    accepted = ledger.verify()
    assert (accepted["status"], accepted["anchored"]) == ("complete", False)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        ("UPDATE runs SET status = 'ok', reason = '' WHERE id = 'r-2'", "run r-2 was altered"),
        ("UPDATE findings SET confidence = 0.99 WHERE run_id = 'r-1'", "run r-1 was altered"),
        ("DELETE FROM findings WHERE run_id = 'r-2'", "run r-2 was altered"),
        ("DELETE FROM runs WHERE id = 'r-1'", "run r-1 is gone"),
        ("UPDATE runs SET id = 'r-x' WHERE id = 'r-0'", "run r-x is in no event"),
        ("UPDATE amendments SET note = 'fine'", "was altered"),
        ("UPDATE groups SET planned = '[]'", "was altered"),
        ("UPDATE groups SET planned = '7'", "cannot be read back"),
        ('UPDATE findings SET evidence = \'[{"type": "x"}]\'', "cannot be read back"),
        ("DELETE FROM events WHERE seq = 2", "chain breaks at event 2"),
        ("UPDATE events SET head = repeat('0', 64) WHERE seq = 2", "chain breaks at event 2"),
        ("UPDATE events SET body = '{}' WHERE seq = 2", "chain breaks at event 2"),
        ("UPDATE events SET body = 'x' WHERE seq = 2", "chain breaks at event 2"),
        ("UPDATE events SET kind = 'word' WHERE seq = 2", "chain breaks at event 2"),
    ],
)
def test_an_edit_behind_the_ledgers_back_is_named(edit: str, problem: str, tmp_path: Path) -> None:
    import duckdb

    from workbench.ledger import Planned

    ledger = Ledger(tmp_path / "ledger.duckdb")
    group = ledger.plan("b", "s", [Planned("t", "k1")])
    ledger.record(Run("r-0", group.id, "k0", "s", "t", 1, "ok"))
    ledger.record(Run("r-1", group.id, "k1", "s", "t", 1, "ok"), [Finding("one", 0.5)])
    ledger.record(
        Run("r-2", group.id, "k2", "s", "t", 1, "failed", reason="x"), [Finding("two", 0.5)]
    )
    ledger.amend("r-1", "doubtful")
    with duckdb.connect(str(ledger.path)) as connection:
        connection.execute(edit)
    verdict = ledger.verify()
    assert verdict["status"] == "damaged"
    assert any(problem in found for found in verdict["problems"]), verdict


def test_a_directory_that_cannot_be_written_is_an_error_for_the_caller(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LedgerError, match="cannot be written"):
        Ledger(tmp_path / "file" / "ledger.duckdb").record(Run("r", "g", "k", "s", "t", 1, "ok"))


def test_a_commit_that_fails_acknowledges_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.ledger import ledger as module

    ledger = Ledger(tmp_path / "ledger.duckdb")
    ledger.record(Run("r-0", "g", "k0", "s", "t", 1, "ok"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_anchor", full)
        with pytest.raises(LedgerError, match="No space"):
            ledger.record(Run("r-1", "g", "k1", "s", "t", 1, "ok"))
    ledger.record(Run("r-1", "g", "k1", "s", "t", 1, "ok"))
    assert [run.id for run in ledger.runs()] == ["r-0", "r-1"]
    assert ledger.verify()["status"] == "complete"


def _bytes(ledger: Ledger) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in ledger.path.parent.iterdir() if p.suffix != ".lock"}
