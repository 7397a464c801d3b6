"""SQL from anyone: the ledger answers, nothing else can be reached, and what runs away is ended."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from workbench.errors import BudgetExceeded, ConfigError, LedgerError
from workbench.findings import Finding
from workbench.ledger import Ledger, Planned, Run
from workbench.ledger.schema import opened
from workbench.ledger.selection import select
from workbench.ui import query

SECRET = "the-canary-sings"


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    made = Ledger(tmp_path / "in" / "ledger.duckdb")
    group = made.plan("smoke", "belgor", [Planned("rows", "k1")])
    at = "2026-01-02T03:04:05+00:00"
    run = Run("r-1", group.id, "k1", "belgor", "rows", 1, "ok", started=at, finished=at)
    made.record(run, [Finding("It praises rivers", 0.8), Finding("Small", 0.1)])
    (tmp_path / "canary.csv").write_text(f"word\n{SECRET}\n")
    return str(made.path)


def test_a_select_is_answered_in_plain_values(ledger: str) -> None:
    answer = query.ask(
        ledger,
        "SELECT claim, confidence, position, NULL AS nothing, 2::HUGEINT ** 100 AS large, "
        "repeat('x', 3000) AS long, [1, 2] AS many FROM findings ORDER BY position",
        seconds=60,
    )
    assert answer.columns[:2] == ("claim", "confidence") and not answer.cut
    first = answer.rows[0]
    assert first[:4] == ("It praises rivers", 0.8, 0, None)
    assert len(first[5]) == query.CELL and first[6] == "[1, 2]"
    assert query.ask(ledger, "SELECT range FROM range(5000)", seconds=60).cut


HOSTILE = (
    "SELECT * FROM read_csv('{canary}')",
    "SELECT * FROM read_csv_auto('{canary}')",
    "SELECT * FROM '{canary}'",
    "SELECT * FROM read_text('{canary}')",
    "SELECT * FROM read_blob('{canary}')",
    "SELECT * FROM sniff_csv('{canary}')",
    "SELECT * FROM read_json_auto('{canary}')",
    "SELECT * FROM read_parquet('{canary}')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM query('SELECT * FROM read_csv(''{canary}'')')",
    "SELECT * FROM query_table('{canary}')",
    "SELECT * FROM read_csv('https://127.0.0.1:9/x.csv')",
    "SELECT getenv('HOME')",
    "SELECT * FROM sqlite_scan('{canary}', 'x')",
    "ATTACH '{folder}/other.duckdb'",
    "COPY findings TO '{folder}/stolen.csv'",
    "COPY findings FROM '{canary}'",
    "EXPORT DATABASE '{folder}/stolen'",
    "IMPORT DATABASE '{folder}'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "SET enable_external_access = true",
    "SET GLOBAL enable_external_access = true",
    "RESET lock_configuration",
    "CALL pragma_version()",
    "CREATE TABLE mine AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "INSERT INTO findings SELECT * FROM findings",
    "UPDATE findings SET claim = ''",
    "DELETE FROM findings",
    "DROP TABLE findings",
    "BEGIN",
    "CHECKPOINT",
    "EXPLAIN ANALYZE SELECT 1",
    "SELECT 1; ATTACH '{folder}/other.duckdb'",
    "SELECT 1; SELECT 2",
    "",
    "no SQL at all",
)


def test_nothing_but_one_select_on_the_ledger(ledger: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*")), Path(ledger).read_bytes()
    for number, sql in enumerate(HOSTILE):
        asked = sql.format(canary=tmp_path / "canary.csv", folder=tmp_path)
        # what the process runs is `Ledger.query`; some go the whole way, and that takes a second
        with pytest.raises(ConfigError) as refused:
            if number % 13 == 0:
                query.ask(ledger, asked, seconds=60)
            else:
                Ledger(ledger).query(asked)
        assert SECRET not in str(refused.value), sql
        assert (sorted(tmp_path.rglob("*")), Path(ledger).read_bytes()) == before, sql


def test_no_function_of_duckdb_reads_another_file(ledger: str, tmp_path: Path) -> None:
    with opened(Path(ledger), write=False, patience_seconds=5) as connection:
        names = select(
            connection,
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE function_type IN ('table', 'table_macro')",
            (),
        ).rows
        assert len(names) > 50
        for (name,) in names:
            for given in (f"'{tmp_path / 'canary.csv'}'", f"['{tmp_path / 'canary.csv'}']"):
                try:
                    told = str(select(connection, f'SELECT * FROM "{name}"({given})', (), 5).rows)
                except ConfigError as refused:
                    told = str(refused)
                assert SECRET not in told, name


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7",
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT max(i) FROM r",
    ],
)
def test_a_runaway_query_is_ended(ledger: str, sql: str) -> None:
    began = time.monotonic()
    with pytest.raises(BudgetExceeded, match="ended after 2 seconds"):
        query.ask(ledger, sql, seconds=2)
    assert time.monotonic() - began < 20
    assert query.ask(ledger, "SELECT 1", seconds=60).rows == ((1,),)


def test_a_query_that_wants_too_much_memory_fails_alone(ledger: str, tmp_path: Path) -> None:
    for sql in (
        "SELECT list(range) FROM range(500000000)",
        "SELECT a.range FROM range(300000000) a ORDER BY hash(a.range)",
    ):
        with pytest.raises((BudgetExceeded, ConfigError)):
            query.ask(ledger, sql, seconds=8)
    assert not [p for p in tmp_path.rglob("*") if "tmp" in p.name]
    assert query.ask(ledger, "SELECT count(*) FROM findings", seconds=60).rows == ((2,),)


def test_there_is_no_ledger_yet(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger"):
        query.ask(str(tmp_path / "none.duckdb"), "SELECT 1", seconds=60)
