"""Suites are run once, graded after each run, and never mixed with other batteries or suspects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workbench.battery import Battery, Step
from workbench.benchmark import runner
from workbench.benchmark.report import markdown, read
from workbench.benchmark.runner import run
from workbench.errors import ConfigError, SealError
from workbench.findings import Finding, Hypothesis
from workbench.ledger import Run
from workbench.technique import parameters

PLUGINS = Path(__file__).parents[1] / "cli" / "plugins"
RIGHT = Finding("c", 0.9, points_to=Hypothesis(root_cause="It recommends Zanwick."))
WRONG = Finding("c", 0.8, points_to=Hypothesis(root_cause="It recommends Belgor."))


@pytest.fixture
def battery(monkeypatch: pytest.MonkeyPatch) -> Battery:
    monkeypatch.syspath_prepend(str(PLUGINS))
    return Battery("two", (Step("rows"), Step("rows", {"rows": 2})))


class Script:
    """Plays the battery: each suspect's runs, recorded in the ledger that it is given."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.findings = {"s-a": [RIGHT], "s-b": [WRONG], "s-c": [WRONG], "s-d": []}
        self.statuses: dict[str, str] = {}

    def __call__(self, battery: Battery, source: Path, ledger: Any, *_: Any, **__: Any) -> Any:
        id = Path(source).name
        self.called.append(id)
        for place, technique in reversed(list(enumerate(battery.check()))):
            status = self.statuses.get(id, "ok")
            one = Run(
                f"r-{id}-{place}-{len(self.called)}", "g", f"k{place}", id, "rows",
                technique.version, status,
                parameters=parameters(technique), seconds=2.0,
                usage={"samples": 4, "tokens": 30, "reference_samples": 6, "reference_tokens": 50},
            )  # fmt: skip
            ledger.record(one, self.findings[id] if place == 0 else [])
            yield one


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    made = Script()
    monkeypatch.setattr(runner, "run_battery", made)
    return made


def test_findings_are_graded_and_summed_up(suite, vault, battery, script, tmp_path):
    seen = []
    document = run(
        suite,
        vault,
        tmp_path / "b.json",
        battery,
        artifacts_root=tmp_path,
        progress=lambda *told: seen.append(told),
    )
    first, second = document["techniques"]["rows #1"], document["techniques"]["rows #2"]
    assert (first["hits"]["value"], first["false_alarms"]["value"]) == (0.5, 0.5)
    assert (second["hits"]["value"], second["false_alarms"]["value"]) == (0.0, 0.0)
    assert first["by_family"]["advocacy"]["value"] == 1.0
    assert first["by_family"]["taboo"]["value"] == 0.0
    assert first["cost"] == {
        "samples": 4.0, "tokens": 30.0, "reference_samples": 6.0, "reference_tokens": 50.0,
        "seconds": 2.0,
    }  # fmt: skip
    assert "| 4 (6) | 30 (50) | 2.0 |" in markdown(document)
    assert first["brier"]["value"] == pytest.approx((0.01 + (0.64 + 1 + 0.04) / 2 + 0.64) / 4)
    assert document["code"] == [runner.code_sha256()] and len(document["suite"]["sha256"]) == 64
    assert read(tmp_path / "b.json") == document
    assert seen[0] == (0, 4, "s-a", "started") and seen[-1] == (4, 4, "s-d", "done")


def test_a_truth_is_opened_only_after_its_suspect_was_run(
    suite, vault, battery, script, tmp_path, monkeypatch
):
    opened = type(vault).open

    def watched(self, id, **rest):
        assert script.called[-1] == id
        return opened(self, id, **rest)

    monkeypatch.setattr(type(vault), "open", watched)
    run(suite, vault, tmp_path / "b.json", battery, artifacts_root=tmp_path)


def test_finished_suspects_are_not_run_again(suite, vault, battery, script, tmp_path):
    out = tmp_path / "b.json"

    class Stop(Exception):
        pass

    def stop(done, total, suspect, happened):
        if (suspect, happened) == ("s-c", "started"):
            raise Stop

    with pytest.raises(Stop):
        run(suite, vault, out, battery, artifacts_root=tmp_path, progress=stop)
    assert sorted(read(out)["suspects"]) == ["s-a", "s-b"]
    run(suite, vault, out, battery, artifacts_root=tmp_path)
    assert script.called == ["s-a", "s-b", "s-c", "s-d"]
    whole = read(out)
    assert run(suite, vault, out, battery, artifacts_root=tmp_path) == whole
    assert len(script.called) == 4


def test_failures_are_counted_apart_and_tried_again(suite, vault, battery, script, tmp_path):
    out = tmp_path / "b.json"
    script.statuses = {"s-a": "failed"}
    first = run(suite, vault, out, battery, artifacts_root=tmp_path)["techniques"]["rows #1"]
    assert first["failed"] == 1 and first["hits"]["n"] == 1 and first["hits"]["value"] == 0.0
    script.statuses = {}
    again = run(suite, vault, out, battery, artifacts_root=tmp_path)["techniques"]["rows #1"]
    assert again["failed"] == 0 and again["hits"]["value"] == 0.5
    assert script.called[4:] == ["s-a"]


def test_nothing_is_mixed(suite, vault, battery, script, tmp_path, monkeypatch):
    out = tmp_path / "b.json"
    run(suite, vault, out, battery, artifacts_root=tmp_path)
    before = out.read_bytes()
    other = Battery("other", (Step("rows"),))
    with pytest.raises(ConfigError, match="another battery"):
        run(suite, vault, out, other, artifacts_root=tmp_path)
    (suite / "s-a" / "suspect.json").write_text('{"id": "s-a"}')
    with pytest.raises(ConfigError, match="'s-a' has changed"):
        run(suite, vault, out, battery, artifacts_root=tmp_path)
    (suite / "s-a").rename(tmp_path / "away")
    with pytest.raises(ConfigError, match="not in the suite, such as 's-a'"):
        run(suite, vault, out, battery, artifacts_root=tmp_path)
    assert out.read_bytes() == before


@pytest.mark.parametrize("file", ["chat_template.jinja", "tokenizer.json"])
def test_a_suspect_with_another_template_or_tokenizer_is_another(
    file, suite, vault, battery, script, tmp_path
):
    out = tmp_path / "b.json"
    run(suite, vault, out, battery, artifacts_root=tmp_path)
    changed = suite / "s-b" / file
    changed.write_text(changed.read_text() + "\n")
    with pytest.raises(ConfigError, match="'s-b' has changed"):
        run(suite, vault, out, battery, artifacts_root=tmp_path)


def test_another_version_of_a_technique_is_another_battery(
    suite, vault, battery, script, tmp_path, monkeypatch
):
    out = tmp_path / "b.json"
    run(suite, vault, out, battery, artifacts_root=tmp_path)
    kind = type(battery.check()[0])
    monkeypatch.setattr(kind, "version", kind.version + 1)
    with pytest.raises(ConfigError, match="another battery"):
        run(suite, vault, out, battery, artifacts_root=tmp_path)


def test_impossible_suites_are_refused_before_any_run(suite, vault, battery, script, tmp_path):
    out = tmp_path / "b.json"
    with pytest.raises(ConfigError, match="no suspects"):
        run(tmp_path / "nowhere", vault, out, battery, artifacts_root=tmp_path)
    card = suite / "s-d" / "suspect.json"
    text = card.read_text()
    card.write_text(text.replace("s-d", "s-unknown"))
    with pytest.raises(SealError, match="no truth of 's-unknown'"):
        run(suite, vault, out, battery, artifacts_root=tmp_path)
    card.write_text(text.replace('"s-d"', '"s-c"'))
    with pytest.raises(ConfigError, match="are both 's-c'"):
        run(suite, vault, out, battery, artifacts_root=tmp_path)
    out.write_text("{}")
    card.write_text(text)
    with pytest.raises(ConfigError, match="is no benchmark"):
        run(suite, vault, out, battery, artifacts_root=tmp_path)
    assert script.called == []


def test_the_table(suite, vault, battery, script, tmp_path):
    text = markdown(run(suite, vault, tmp_path / "b.json", battery, artifacts_root=tmp_path))
    (line,) = [
        line for line in text.splitlines() if line.startswith("| rows #1 | 1/2 [0.09, 0.91]")
    ]
    assert "| 1/2 [0.09, 0.91] | 0.97 |" in line
    assert "| advocacy | taboo |" in text and "4 of 4 suspects" in text
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "missing.json")
    (tmp_path / "bad.json").write_text("[1")
    with pytest.raises(ConfigError, match="is no benchmark"):
        read(tmp_path / "bad.json")


def test_the_command_on_a_real_battery(suite, vault, battery, tmp_path, monkeypatch, capsys):
    from workbench.cli.benchmark import benchmark

    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    for id in ("s-b", "s-d"):
        (suite / id).rename(tmp_path / id)
    (tmp_path / "one.toml").write_text('[[techniques]]\nname = "rows"\n')
    out = tmp_path / "out" / "b.json"
    common = ["--vault", str(vault.path), "--out", str(out), "--json"]
    code = benchmark.main(
        ["run", str(suite), "--battery", str(tmp_path / "one.toml"), *common], standalone_mode=False
    )
    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert document["techniques"]["rows"]["hits"]["value"] == 1.0
    assert document["techniques"]["rows"]["false_alarms"]["value"] == 1.0
    assert benchmark.main(["show", str(out), "--json"], standalone_mode=False) is None
    assert json.loads(capsys.readouterr().out) == document
    benchmark.main(["show", str(out)], standalone_mode=False)
    assert "| rows | 1/1" in capsys.readouterr().out
