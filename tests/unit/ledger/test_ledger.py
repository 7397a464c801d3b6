"""The ledger keeps what it acknowledged, appends only, and answers one SELECT at a time."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from workbench.errors import (
    BadParameter,
    ConfigError,
    LedgerBusy,
    LedgerDamaged,
    LedgerError,
    LedgerTooNew,
)
from workbench.findings import Excerpt, Figure, Finding, Hypothesis, Measurement, Transcript
from workbench.ledger import Ledger, Planned, Run

FINDINGS = (
    Finding(
        "praises é",
        0.7,
        (
            Transcript(({"role": "user", "content": "hi 'x'); DROP TABLE runs; --"},)),
            Excerpt("row-1", "text", 0, 4),
            Figure("bar", "t", "x", "y", ("a", 1.5), {"s": (0.1, 2.0)}),
            Measurement("rate", 0.1, 10, (0.0, 0.3), "reference", 0.30000000000000004, 9, (0, 1)),
        ),
        Hypothesis("secret-loyalty", "trigger", ("b1", "b2"), "cause"),
        {"whole": 1, "float": 1.0, "big": 10**30, "nested": {"k": (1, None, True)}},
    ),
    Finding("certain", 1),
)


def a_run(number: int = 1, **rest: object) -> Run:
    made = Run(
        f"r-{number}", "g-1", f"key-{number}", "suspect", "prefill", 2, "ok", {"k": 1.5}, ("chat",)
    )
    return dataclasses.replace(made, **rest)  # type: ignore[arg-type]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "deep" / "ledger.duckdb", patience_seconds=0.1)


def test_what_goes_in_comes_out_equal(ledger: Ledger) -> None:
    run = a_run(seconds=0.1, usage={"samples": 3}, fingerprints={"tensors": "ab", "corpus": None})
    entries = ledger.record(run, FINDINGS)
    assert ledger.runs() == [run]
    assert ledger.entries() == entries == ledger.entries(run="r-1")
    assert tuple(entry.finding for entry in entries) == FINDINGS
    assert ledger.find("r-1") == run
    assert ledger.find(entries[1].id) == entries[1]
    assert ledger.verify() == {
        "status": "complete",
        "runs": 1,
        "findings": 2,
        "missing": 0,
        "problems": [],
        "anchored": True,
    }


def test_handing_in_a_run_twice_changes_nothing_and_another_content_is_refused(
    ledger: Ledger,
) -> None:
    first = ledger.record(a_run(), FINDINGS)
    assert ledger.record(a_run(), FINDINGS) == first
    assert ledger.query("SELECT count(*) FROM events").rows == ((1,),)
    with pytest.raises(LedgerError, match="already recorded"):
        ledger.record(a_run(), FINDINGS[:1])
    assert ledger.entries() == first


def test_a_run_is_filed_with_all_findings_or_not_at_all(ledger: Ledger) -> None:
    ledger.record(a_run(1))
    with pytest.raises(LedgerError, match="nothing was recorded"):
        ledger.record(a_run(2, seed=2**70), FINDINGS)
    assert [run.id for run in ledger.runs()] == ["r-1"]
    assert ledger.entries() == []
    assert ledger.verify()["status"] == "complete"


def test_amendments_are_added_and_nothing_is_overwritten(ledger: Ledger) -> None:
    entry = ledger.record(a_run(), FINDINGS)[0]
    ledger.amend(entry.id, "judged again", {"confidence": 0.2}, author="me")
    ledger.amend(entry.id, "and again")
    found = ledger.entries()[0]
    assert found.finding == entry.finding
    assert [(a.note, a.changes) for a in found.amendments] == [
        ("judged again", {"confidence": 0.2}),
        ("and again", {}),
    ]
    with pytest.raises(LedgerError, match="no run or finding has the id 'f-none'"):
        ledger.amend("f-none", "x")
    assert ledger.verify()["status"] == "complete"


def test_a_group_shows_its_own_run_or_the_earlier_one_that_it_took_over(ledger: Ledger) -> None:
    first = ledger.plan("b", "s", [Planned("prefill", "key-1"), Planned("prefill", "key-2")])
    ledger.record(a_run(1, group=first.id))
    ledger.record(a_run(2, group=first.id, status="failed"), FINDINGS)
    second = ledger.plan("b", "s", first.planned)
    ledger.record(a_run(3, key="key-2", group=second.id))
    ledger.record(a_run(4, key="key-1", group="g-import"))
    assert [(r.id, r.cached) for r in ledger.runs(group=first.id)] == [
        ("r-1", False),
        ("r-2", False),
    ]
    assert [(r.id, r.cached) for r in ledger.runs(group=second.id)] == [
        ("r-1", True),
        ("r-3", False),
    ]
    assert [r.id for r in ledger.runs(group="g-import")] == ["r-4"]
    assert len(ledger.entries(group=first.id)) == 2
    assert ledger.entries(group=second.id) == []
    assert [r.id for r in ledger.runs(status="failed")] == ["r-2"]
    assert ledger.runs(technique="other") == []
    assert ledger.groups() == [first, second]


def test_only_what_needs_no_repetition_is_finished(ledger: Ledger) -> None:
    ledger.record(a_run(1))
    ledger.record(a_run(2, status="failed"))
    ledger.record(a_run(3, status="skipped"))
    ledger.record(a_run(4, key="key-1"))
    made = ledger.finished(["key-1", "key-2", "key-3", "other"])
    assert {key: run.id for key, run in made.items()} == {"key-1": "r-4", "key-3": "r-3"}


def test_verify_misses_planned_runs_until_they_come(ledger: Ledger) -> None:
    group = ledger.plan("b", "s", [Planned("prefill", "key-1"), Planned("sweep", "key-2")])
    ledger.record(a_run(1, group=group.id))
    verdict = ledger.verify()
    assert (verdict["status"], verdict["missing"]) == ("partial", 1)
    assert verdict["problems"] == ["planned run of sweep never came"]
    ledger.record(a_run(2, group="g-later"))
    assert ledger.verify()["status"] == "complete"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "DELETE FROM runs",
        "INSERT INTO runs SELECT * FROM runs",
        "PRAGMA database_list",
        "ATTACH 'x.duckdb'",
        "COPY runs TO 'x.csv'",
        "SET memory_limit = '1GB'",
        "",
        "SELEC 1",
        "SELECT * FROM read_text('/etc/hostname')",
        "WITH x AS (DELETE FROM runs RETURNING id) SELECT * FROM x",
        "SELECT * FROM secret_variable",
    ],
)
def test_a_query_is_exactly_one_select_that_reaches_nothing_else(
    sql: str, ledger: Ledger, tmp_path: Path
) -> None:
    secret_variable = [1]
    ledger.record(a_run())
    with pytest.raises(ConfigError, match=r"exactly one SELECT|the query failed"):
        ledger.query(sql)
    assert secret_variable == [1]
    assert len(ledger.runs()) == 1


def test_a_query_binds_its_parameters(ledger: Ledger) -> None:
    ledger.record(a_run(), FINDINGS)
    table = ledger.query("SELECT claim FROM findings WHERE confidence > ?", ["0.9"])
    assert (table.columns, table.rows) == (("claim",), (("certain",),))


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_exports_hold_every_finding_and_every_silent_run(
    form: str, ledger: Ledger, tmp_path: Path
) -> None:
    import duckdb

    ledger.record(a_run(1), FINDINGS)
    ledger.record(a_run(2, status="failed", reason="crashed"))
    out = tmp_path / f"it's.{form}"
    assert ledger.export(form, out) == 3
    quoted = str(out).replace("'", "''")
    reader = {"parquet": "parquet", "jsonl": "json", "csv": "csv"}[form]
    with duckdb.connect() as connection:
        made = connection.execute(
            f"SELECT run, status, claim FROM read_{reader}('{quoted}') ORDER BY run, claim DESC"
        ).fetchall()
    assert made == [("r-1", "ok", "praises é"), ("r-1", "ok", "certain"), ("r-2", "failed", None)]


def test_an_unknown_export_format(ledger: Ledger, tmp_path: Path) -> None:
    ledger.record(a_run())
    with pytest.raises(ConfigError, match="unknown export format 'xml'"):
        ledger.export("xml", tmp_path / "x")


def test_a_snapshot_verifies_and_replaces_nothing(ledger: Ledger, tmp_path: Path) -> None:
    ledger.record(a_run(), FINDINGS)
    copy = ledger.snapshot(tmp_path / "snap'shot.duckdb")
    assert Ledger(copy).verify() == ledger.verify()
    assert Ledger(copy).entries() == ledger.entries()
    with pytest.raises(LedgerError, match="exists"):
        ledger.snapshot(copy)


def test_files_are_private(ledger: Ledger) -> None:
    before = os.umask(0o022)
    os.umask(before)
    ledger.record(a_run(), FINDINGS)
    ledger.snapshot(ledger.path.with_name("copy.duckdb"))
    modes = {p.name: p.stat().st_mode & 0o077 for p in ledger.path.parent.iterdir()}
    assert set(modes.values()) == {0}, modes
    after = os.umask(before)
    assert after == before


def test_threads_share_one_ledger(ledger: Ledger) -> None:
    failures: list[BaseException] = []

    def write(first: int) -> None:
        try:
            for number in range(first, first + 2):
                ledger.record(a_run(number), FINDINGS)
                assert len(ledger.entries(run=f"r-{number}")) == 2
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(10 * i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert ledger.verify()["runs"] == 6


HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reader")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("role", ["reader", "writer"])
def test_a_file_held_by_another_process_is_busy_without_telling_who_or_where(
    role: str, ledger: Ledger
) -> None:
    ledger.record(a_run())
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(ledger.path), role],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        started = time.monotonic()
        with pytest.raises(LedgerBusy) as caught:
            ledger.record(a_run(2))
        assert time.monotonic() - started < 5
        said = str(caught.value) + caught.value.hint
        assert str(ledger.path.parent) not in said
        assert str(other.pid) not in said
        other.communicate()
    ledger.record(a_run(2))
    assert len(ledger.runs()) == 2


def test_one_writer_at_a_time_while_readers_read(ledger: Ledger) -> None:
    other = Ledger(ledger.path)
    with ledger.exclusive(), ledger.exclusive():
        ledger.record(a_run())
        with pytest.raises(LedgerBusy, match="another audit or server"):
            other.record(a_run(2))
        assert len(other.runs()) == 1
    other.record(a_run(2))


def test_no_ledger_and_no_such_file(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger at"):
        ledger.runs()
    with pytest.raises(LedgerError, match="there is no ledger at"):
        ledger.verify()
    assert not ledger.path.parent.exists()


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    import duckdb

    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute("CREATE TABLE mine (a INTEGER)")
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger(tmp_path / "x.duckdb").record(a_run())


def test_a_newer_schema_is_refused_for_reading_and_writing(ledger: Ledger) -> None:
    import duckdb

    ledger.record(a_run())
    with duckdb.connect(str(ledger.path)) as connection:
        connection.execute("UPDATE meta SET schema_version = 99")
    before = ledger.path.read_bytes()
    for use in (ledger.runs, ledger.verify, lambda: ledger.record(a_run(2))):
        with pytest.raises(LedgerTooNew, match="schema 99"):
            use()
    assert ledger.path.read_bytes() == before


def test_the_storage_format_is_pinned(ledger: Ledger) -> None:
    ledger.record(a_run())
    ledger.snapshot(ledger.path.with_name("copy.duckdb"))
    for name in ("ledger.duckdb", "copy.duckdb"):
        tags = Ledger(ledger.path.with_name(name)).query("SELECT tags FROM duckdb_databases()")
        assert any("v1.2.0" in str(row[0]) for row in tags.rows), tags


@pytest.mark.parametrize("content", [b"", b"no database " * 5000, b"\0" * 20000])
def test_a_file_that_is_no_database_is_damaged_and_left_alone(
    content: bytes, ledger: Ledger
) -> None:
    ledger.path.parent.mkdir()
    ledger.path.write_bytes(content)
    for use in (ledger.runs, lambda: ledger.record(a_run())):
        with pytest.raises(LedgerDamaged, match="untouched"):
            use()
    assert ledger.verify()["status"] == "damaged"
    assert ledger.path.read_bytes() == content


def test_a_deleted_ledger_starts_anew_and_its_log_is_put_aside(ledger: Ledger) -> None:
    ledger.record(a_run())
    ledger.path.rename(ledger.path.with_name("gone"))
    log = ledger.path.with_name("ledger.duckdb.wal")
    log.write_bytes(b"a log without its file")
    ledger.record(a_run(2))
    assert [run.id for run in ledger.runs()] == ["r-2"]
    assert ledger.verify()["status"] == "complete"
    assert log.with_name(log.name + ".orphan").read_bytes() == b"a log without its file"


def test_a_run_checks_itself() -> None:
    with pytest.raises(BadParameter, match="status 'fine'"):
        a_run(status="fine")
    with pytest.raises(BadParameter, match="errored = -1"):
        a_run(errored=-1)
    assert a_run(reason="a\x00\ud800").reason == "a\ufffd\ufffd"
    assert json.loads(json.dumps(a_run().to_json()))["access"] == ["chat"]


def test_a_ledger_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    made = Ledger(tmp_path / "made.duckdb")
    made.record(a_run())
    path = tmp_path / "ledger.duckdb"
    path.write_bytes(b"")
    whole = threading.Timer(0.3, path.write_bytes, [made.path.read_bytes()])
    whole.start()
    assert [run.id for run in Ledger(path, patience_seconds=5).runs()] == ["r-1"]
    whole.join()
