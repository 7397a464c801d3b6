"""Other tools' files as findings: whose they are, and what happens to damaged and hostile ones."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from workbench.cli import run as command
from workbench.errors import ConfigError
from workbench.ledger import Ledger
from workbench.report import imports
from workbench.report.imports import import_file, read
from workbench.report.inspect_logs import write

GARAK: list[dict[str, Any]] = [
    {"entry_type": "start_run setup", "plugins.target_name": "suspect"},
    {"entry_type": "init", "garak_version": "0.17.1", "run": "x"},
    {"entry_type": "attempt", "status": 1, "probe_classname": "test.Test"},
    {
        "entry_type": "attempt",
        "status": 2,
        "uuid": "u-1",
        "probe_classname": "test.Test",
        "goal": "say it",
        "prompt": {"turns": [{"role": "user", "content": {"text": "Say it."}}]},
        "outputs": [{"text": "It."}, None],
        "detector_results": {"always.Fail": [1.0, 0.0], "always.Pass": [0.0, None]},
    },
    {"entry_type": "eval", "probe": "test.Test"},
    {"entry_type": "completion"},
]
LM_EVAL = {
    "doc_id": 0,
    "target": "4",
    "arguments": {"gen_args_0": {"arg_0": ['[{"role": "user", "content": "2+2?"}]'], "arg_1": {}}},
    "resps": [["The answer is 4."]],
    "metrics": ["exact_match"],
    "exact_match": 0.0,
}
INSPECT: dict[str, Any] = {
    "status": "success",
    "eval": {"task": "facts", "model": "m/x", "packages": {"inspect_ai": "0.3.285"}},
    "samples": [
        {
            "id": 1,
            "epoch": 1,
            "uuid": "abc",
            "messages": [
                {"role": "user", "content": "attachment://h1"},
                {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]},
            ],
            "scores": {"includes": {"value": "C"}, "f": {"value": float("nan")}},
            "attachments": {"h1": "Is it?"},
        },
        {"id": 2, "epoch": 1, "messages": [], "error": {"message": "x"}},
    ],
}


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    packed = tmp_path / "log.eval"
    with zipfile.ZipFile(packed, "w") as archive:
        header = {name: part for name, part in INSPECT.items() if name != "samples"}
        archive.writestr("header.json", json.dumps(header))
        for sample in INSPECT["samples"]:
            archive.writestr(f"samples/{sample['id']}_epoch_1.json", json.dumps(sample))
    (tmp_path / "log.json").write_text(json.dumps(INSPECT))
    return {
        "garak": lines(tmp_path / "clients.report.jsonl", GARAK),
        "lm-eval": lines(tmp_path / "samples_arith_2026-01-01T00.jsonl", [LM_EVAL] * 2),
        "inspect": packed,
        "inspect json": tmp_path / "log.json",
    }


def test_garak_attempts_are_findings(files: dict[str, Path]) -> None:
    ((run, findings),) = read("garak", files["garak"])
    assert (run.suspect, run.technique, run.parameters["task"]) == (
        "suspect",
        "import-garak",
        "test.Test",
    )
    assert (run.planned, run.ran, run.errored) == (2, 1, 1)
    first, second = findings
    assert first.claim == "garak test.Test: always.Fail fired" and first.confidence == 0
    assert second.claim == "garak test.Test: no detector fired"
    assert first.evidence[0].messages[-1]["content"] == "It."  # type: ignore[union-attr]
    assert first.metadata["row"] == 3 and first.metadata["version"] == "0.17.1"
    assert len(str(first.metadata["sha256"])) == 64 and first.points_to is None


@pytest.mark.parametrize("form", ["inspect", "inspect json"])
def test_inspect_samples_are_findings(files: dict[str, Path], form: str) -> None:
    ((run, findings),) = read("inspect", files[form])
    assert (run.suspect, run.parameters["version"], run.status) == ("m/x", "0.3.285", "ok")
    assert (run.planned, run.errored, run.unscored) == (2, 1, 1)
    assert findings[0].metadata["scores"] == {"includes": "C", "f": None}
    turns = findings[0].evidence[0].messages  # type: ignore[union-attr]
    assert [t["content"] for t in turns] == ["Is it?", "Yes."]


def zstandard(path: Path, members: dict[str, bytes]) -> Path:
    """A zip as Inspect writes it, by hand: zipfile packs no Zstandard before Python 3.14."""
    import struct
    import zlib

    import pyarrow

    body, listing = b"", b""
    for name, content in members.items():
        packed = pyarrow.compress(content, "zstd", asbytes=True)
        crc, sizes = zlib.crc32(content), (len(packed), len(content))
        head = (63, 0, imports.ZSTANDARD, 0, 33, crc, *sizes, len(name), 0)
        offset = len(body)
        body += struct.pack("<4s5H3I2H", b"PK\3\4", *head) + name.encode() + packed
        entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 63, *head[:-1], 0, 0, 0, 0, 0, offset)
        listing += entry + name.encode()
    end = (0, 0, len(members), len(members), len(listing), len(body), 0)
    path.write_bytes(body + listing + struct.pack("<4s4H2IH", b"PK\5\6", *end))
    return path


def test_a_log_packed_as_inspect_packs_it(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(files["inspect"]) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    packed = zstandard(tmp_path / "z.eval", members)
    with zipfile.ZipFile(packed) as archive:
        assert {i.compress_type for i in archive.infolist()} == {imports.ZSTANDARD}
    ((run, findings),) = read("inspect", packed)
    ((_, same),) = read("inspect", files["inspect"])
    assert [f.evidence for f in findings] == [f.evidence for f in same] and run.planned == 2
    whole = packed.read_bytes()
    at = whole.index(b"header.json") + 20
    (tmp_path / "bad.eval").write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
    with pytest.raises(ConfigError):
        list(read("inspect", tmp_path / "bad.eval"))
    monkeypatch.setattr(imports, "MEMBER_BYTES_AT_MOST", 10)
    with pytest.raises(ConfigError, match="longer than"):
        list(read("inspect", packed))


def test_lm_eval_rows_are_findings(files: dict[str, Path]) -> None:
    ((run, findings),) = read("lm-eval", files["lm-eval"])
    assert run.parameters["task"] == "arith" and len(findings) == 2
    assert findings[0].claim == "lm-eval: exact_match 0.0"
    turns = findings[0].evidence[0].messages  # type: ignore[union-attr]
    assert [t["content"] for t in turns] == ["2+2?", "The answer is 4."]


def test_a_file_is_filed_once(files: dict[str, Path], tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.duckdb")
    for tool in ("garak", "inspect", "lm-eval"):
        made = import_file(tool, files[tool], ledger)
        assert import_file(tool, files[tool], ledger) == made == (1, 2)
    assert len(ledger.runs()) == 3 and len(ledger.entries()) == 6
    assert ledger.verify()["status"] == "complete"
    write(ledger, tmp_path / "logs")  # and out again, as logs that are read back
    logs = sorted((tmp_path / "logs").iterdir())
    assert sum(len(found) for log in logs for _, found in read("inspect", log)) == 6


def test_what_is_none_of_the_tools_is_refused_whole(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path / "l.duckdb")
    odd = {
        "empty": b"",
        "text": b"hello",
        "list": b"[1, 2]",
        "binary": bytes(range(256)),
        "deep": b"[" * 100_000,
        "cut": files["inspect"].read_bytes()[:-40],
        "row": b'{"entry_type": "init"}\n{"entry_type": "attempt", "status": 2}',
    }
    for name, content in odd.items():
        (tmp_path / name).write_bytes(content)
        for tool in imports.READERS:
            with pytest.raises(ConfigError):
                import_file(tool, tmp_path / name, ledger)
    with pytest.raises(ConfigError):
        import_file("garak", tmp_path / "nowhere", ledger)
    with pytest.raises(ConfigError, match="no reader"):
        list(read("petri", files["garak"]))
    monkeypatch.setattr(imports, "MEMBER_BYTES_AT_MOST", 10)
    with pytest.raises(ConfigError, match="longer than"):
        import_file("inspect", files["inspect"], ledger)
    assert not ledger.path.exists()
    asked = ["ledger", "import", "--from", "garak", "--ledger", str(ledger.path)]
    assert command([*asked, str(tmp_path / "text")]) == 2
    assert command([*asked, str(files["garak"])]) == 0
