"""Auditors run beside the battery, are graded after, resumed, never mixed, and shown everywhere."""

from __future__ import annotations

import html.parser
import json
from pathlib import Path
from typing import Any

import pytest

from workbench.auditors import auditors
from workbench.benchmark.entrants import Entrant, load
from workbench.benchmark.page import page
from workbench.benchmark.report import markdown, read
from workbench.benchmark.runner import run
from workbench.errors import BrokenTechnique, ConfigError
from workbench.ledger import Ledger

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE / "plugins"))
    monkeypatch.syspath_prepend(str(HERE.parent / "cli" / "plugins"))


def seer(label: str = "seer", **parameters: Any) -> Entrant:
    return Entrant(label, "seer", parameters={"of": ["s-a", "s-c"], **parameters})


def test_third_parties_come_by_entry_point_and_broken_ones_are_listed() -> None:
    listed = {one.name: one for one in auditors()}
    assert listed["seer"].kind is not None and listed["autopilot"].kind is not None
    assert "no_such_module" in listed["missing"].reason
    assert "lacks name, version, needs, audit" in listed["nameless"].reason
    with pytest.raises(BrokenTechnique):
        Entrant("x", "nameless").build()


def test_auditors_are_graded_and_what_fails_leaves_the_rest(
    suite: Path, vault: Any, tmp_path: Path
) -> None:
    out = tmp_path / "b.json"
    entrants = [seer(), Entrant("faller", "faller"), seer("mute", else_none=False, of=[])]
    told: list[str] = []
    document = run(
        suite, vault, out, None, entrants,
        artifacts_root=tmp_path, progress=lambda d, n, s, happened: told.append(happened),
    )  # fmt: skip
    made = document["auditors"]["seer"]
    assert made["solved"]["value"] == 0.5 and made["false_accusations"]["value"] == 0.5
    assert made["confusion"]["taboo"] == {"said none": 1}
    assert document["auditors"]["faller"]["failed"] == 1
    assert "it fell" in document["suspects"]["s-a"]["auditors"]["faller"]["reason"]
    assert document["auditors"]["mute"]["abstained"]["value"] == 1.0
    assert document["techniques"] == {} and "seer audits" in told
    assert read(out) == document
    assert {r.technique for r in Ledger(out.with_suffix(".duckdb")).runs()} == {"seer", "faller"}
    before = out.read_text()
    told.clear()
    again = run(suite, vault, out, None, entrants, artifacts_root=tmp_path,
                progress=lambda d, n, s, happened: told.append(happened))  # fmt: skip
    assert told.count("done before") == 3 and "faller audits" in told, "what failed is tried again"
    assert again["auditors"] == document["auditors"] and out.read_text() == before


def test_auditors_are_added_to_a_battery_and_share_its_runs(
    suite: Path, vault: Any, tmp_path: Path
) -> None:
    from workbench.battery import Battery, Step

    for id in ("s-b", "s-c", "s-d"):
        (suite / id).rename(tmp_path / id)
    out, battery = tmp_path / "b.json", Battery("one", (Step("rows"),))
    first = run(suite, vault, out, battery, artifacts_root=tmp_path / "a")
    runs = len(Ledger(out.with_suffix(".duckdb")).runs(technique="rows"))
    second = run(
        suite, vault, out, battery, [seer(runs="rows")], artifacts_root=tmp_path / "a"
    )  # fmt: skip
    assert second["techniques"] == first["techniques"]
    assert second["suspects"]["s-a"]["outcomes"] == first["suspects"]["s-a"]["outcomes"]
    assert len(Ledger(out.with_suffix(".duckdb")).runs(technique="rows")) == runs
    verdict = second["suspects"]["s-a"]["auditors"]["seer"]
    assert verdict["solved"] and verdict["cost"]["cpu_seconds"] > 0, "taken over, and paid for"
    with pytest.raises(ConfigError, match="was another auditor"):
        run(suite, vault, out, battery, [seer(confidence=0.7)], artifacts_root=tmp_path / "a")


def test_the_truth_is_opened_after_the_last_audit(
    suite: Path, vault: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.benchmark import auditing

    audited: list[str] = []
    really, opened = auditing.run, type(vault).open

    def watched(entrant: Entrant, suspect: Path, *rest: Any) -> Any:
        audited.append(suspect.name)
        return really(entrant, suspect, *rest)

    def late(self: Any, id: str, **rest: Any) -> Any:
        assert audited.count(id) == 2
        return opened(self, id, **rest)

    for id in ("s-b", "s-d"):
        (suite / id).rename(tmp_path / id)

    monkeypatch.setattr(auditing, "run", watched)
    monkeypatch.setattr(type(vault), "open", late)
    run(suite, vault, tmp_path / "b.json", None, [seer(), seer("b")], artifacts_root=tmp_path)
    assert len(audited) == 4


class Parsed(html.parser.HTMLParser):
    """Tags and texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        assert not {"src", "href", "onload", "onerror"} & {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_tables_and_pages(suite: Path, vault: Any, tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script>|x\x1b[31m"
    document = run(suite, vault, tmp_path / "b.json", None, [seer(), seer(nasty)],
                   artifacts_root=tmp_path)  # fmt: skip
    text = markdown(document)
    (line,) = [line for line in text.splitlines() if line.startswith("| seer | 1/2 [0.09")]
    assert "| 1/2 [0.09, 0.91] | 0.97 |" in line
    assert "### Auditors" in text and "### What was said of whom" in text
    assert "| seer | none | 0 | 0 | 1 | 0 | 1 | 0 |" in text
    assert "| seer | 0.9 to 1.0 | 0.90 | 2/4" in text
    hashes = document["entrants"]["seer"]["sha256"][:12], document["suite"]["sha256"][:12]
    assert all(found in text for found in hashes) and document["code"][0][:12] in text
    made = Parsed()
    made.feed(page(document))
    assert "script" not in made.tags and made.tags.count("svg") == 3 and "circle" in made.tags
    assert any("<script>" in part for part in made.texts) and "\x1b" not in page(document)
    assert all(found in " ".join(made.texts) for found in hashes)


def test_lists_of_entrants(tmp_path: Path) -> None:
    shipped = load(HERE.parents[2] / "benchmarks" / "auditors.toml")
    assert len({e.label for e in shipped}) == len(shipped) >= 6
    assert len({e.document()["sha256"] for e in shipped}) == len(shipped)
    file = tmp_path / "a.toml"
    for content, said in (
        ("", "has no auditors"),
        ("[[auditor]", "a.toml"),
        ('[[auditor]]\nlabel = "x"', "auditor 1 has no name"),
        ('[[auditor]]\nname = "seer"\nacess = []', "Did you mean 'access'"),
        ('[[auditor]]\nname = "saer"', "unknown auditor 'saer'"),
        ('[[auditor]]\nname = "seer"\naccess = ["chatt"]', "unknown access 'chatt'"),
        ('[[auditor]]\nname = "seer"\nseed = -1', "is no seed"),
        ('[[auditor]]\nname = "seer"\nbudget = 7', "are tables"),
        ('[[auditor]]\nname = "seer"\nparameters = { sais = "x" }', "Did you mean 'says'"),
    ):
        file.write_text(content)
        with pytest.raises(ConfigError) as caught:
            load(file)
        assert said in f"{caught.value.message} {caught.value.hint}"
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "missing.toml")


def test_two_of_one_label_are_refused(suite: Path, vault: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="labelled 'seer'"):
        run(suite, vault, tmp_path / "b.json", None, [seer(), seer()], artifacts_root=tmp_path)
    assert not (tmp_path / "b.json").exists()


def test_the_command(
    suite: Path, vault: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from workbench.cli import run as workbench

    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    for id in ("s-b", "s-d"):
        (suite / id).rename(tmp_path / id)
    (tmp_path / "a.toml").write_text('[[auditor]]\nname = "seer"\nparameters = { of = ["s-a"] }\n')
    out, web = tmp_path / "o" / "b.json", tmp_path / "o" / "b.html"
    common = ["benchmark", "run", str(suite), "--vault", str(vault.path), "--out", str(out)]
    entrants = ["--no-battery", "--auditors", str(tmp_path / "a.toml")]
    assert workbench([*common, *entrants, "--html", str(web), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["auditors"]["seer"]["solved"]["value"] == 1.0
    assert "<h2>Auditors</h2>" in web.read_text()
    assert workbench([*common, "--no-battery", "--auditor", "faller"]) == 1
    assert "| faller |" in capsys.readouterr().out and set(read(out)["auditors"]) == {
        "seer", "faller",
    }  # fmt: skip
    assert workbench([*common, "--no-battery"]) == 2
    assert workbench(["benchmark", "show", str(out), "--html", str(tmp_path / "x.html")]) == 0
