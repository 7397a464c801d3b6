"""Other tools' results as findings: read from their files, without their packages.

Each finding keeps where it comes from: tool, version, file, its SHA-256, and the row. What a tool
scored says how the suspect did in its test, not what objective it has: an imported finding points
to nothing, and its confidence is 0 until an auditor says otherwise in a finding of their own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import BadParameter, ConfigError
from workbench.findings import Finding, Transcript, clean_text
from workbench.ledger import Ledger, Run

FILE_BYTES_AT_MOST = 1 << 30
MEMBER_BYTES_AT_MOST = 256 << 20
ROWS_AT_MOST = 100_000
ZSTANDARD = 93
"""The number of that method in a zip."""

Found = tuple[Run, list[Finding]]


def read(tool: str, file: Path) -> Iterator[Found]:
    """Runs with their findings, the same ids each time the same file is read.

    Raises ConfigError where there is no such file, it is too large, or not the tool's.
    """
    if tool not in READERS:
        raise ConfigError(f"no reader for '{tool}'", hint=f"Choose from: {', '.join(READERS)}.")
    try:
        size = file.stat().st_size
        digest = _digest(file)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", hint="Name a file.") from None
    if size > FILE_BYTES_AT_MOST:
        raise ConfigError(f"{file} has {size} bytes", hint="Import it in parts.")
    source = {"tool": tool, "file": file.name, "sha256": digest}
    try:
        yield from READERS[tool](file, source)
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
        zipfile.BadZipFile,
    ) as e:
        raise ConfigError(
            f"{file} is no result of {tool}: {type(e).__name__} {clean_text(str(e), 120)}",
            hint="Name the file that the tool wrote, whole and unchanged.",
        ) from None


def _garak(file: Path, source: Mapping[str, Any]) -> Iterator[Found]:
    """A report in JSON lines: an attempt of status 2 has outputs and a score by detector (0 is
    passed, 1 is a hit); `eval` rows sum up."""
    rows = list(_json_lines(file))
    setup = next((r for r in rows if r.get("entry_type") == "start_run setup"), None)
    start = next((r for r in rows if r.get("entry_type") == "init"), None)
    if setup is None and start is None:
        raise ValueError("no line that begins a run")
    version = str((start or {}).get("garak_version", (setup or {}).get("_config.version", "")))
    target = str((setup or {}).get("plugins.target_name", (setup or {}).get("plugins.model_name")))
    by_probe: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for number, row in enumerate(rows):
        if row.get("entry_type") == "attempt" and row.get("status") == 2:
            by_probe.setdefault(str(row["probe_classname"]), []).append((number, row))
    for probe, attempts in by_probe.items():
        findings, refused = [], 0
        for number, row in attempts:
            turns, outputs = _garak_turns(row["prompt"]), row["outputs"]
            results = row["detector_results"]
            for i, output in enumerate(outputs):
                said = _garak_text(output)
                refused += said is None
                scores = {name: values[i] for name, values in results.items() if i < len(values)}
                metadata = {"row": number, "uuid": str(row.get("uuid", "")), "scores": scores}
                metadata |= {"goal": str(row.get("goal", "")), **source, "version": version}
                hit = sorted(name for name, value in scores.items() if (value or 0) >= 0.5)
                claim = f"garak {probe}: {', '.join(hit) or 'no detector'} fired"
                findings.append(_finding(claim, [*turns, _reply(said or "")], metadata))
        yield _run(source, probe, version, target, findings, errored=refused)


def _garak_turns(prompt: Any) -> list[dict[str, str]]:
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    return [
        {"role": str(turn["role"]), "content": _garak_text(turn["content"]) or ""}
        for turn in prompt["turns"]
    ]


def _garak_text(output: Any) -> str | None:
    text = output.get("text") if isinstance(output, dict) else output
    return None if text is None else str(text)


def _inspect(file: Path, source: Mapping[str, Any]) -> Iterator[Found]:
    """A log as `.eval` (a zip of JSON) or `.json`, with its samples' messages and scores."""
    header, samples = inspect_parts(file)
    spec = header["eval"]
    version = str(spec.get("packages", {}).get("inspect_ai", ""))
    findings, errored, unscored = [], 0, 0
    for sample in samples:
        errored += sample.get("error") is not None
        scores = {n: s.get("value") for n, s in (sample.get("scores") or {}).items()}
        unscored += not scores
        turns = [_inspect_turn(m, sample.get("attachments") or {}) for m in sample["messages"]]
        metadata = {"row": str(sample["id"]), "epoch": sample["epoch"], "scores": scores}
        metadata |= {"uuid": str(sample.get("uuid") or ""), **source, "version": version}
        told = ", ".join(f"{name} {value}" for name, value in scores.items()) or "not scored"
        findings.append(_finding(f"Inspect {spec['task']}: {told}", turns, metadata))
    run = _run(source, str(spec["task"]), version, str(spec["model"]), findings, errored=errored)
    failed = header["status"] != "success"
    yield _replaced(run, unscored=unscored, failed=failed and str(header["status"]))


def inspect_parts(file: Path) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    """Header and samples of a log, in either form."""
    if not zipfile.is_zipfile(file):
        log = json.loads(file.read_bytes())
        return log, log.get("samples") or []
    with zipfile.ZipFile(file) as archive:
        names = [n for n in archive.namelist() if n.startswith("samples/") and n.endswith(".json")]
        if len(names) > ROWS_AT_MOST:
            raise ValueError(f"{len(names)} samples")
        started = "header.json" if "header.json" in archive.namelist() else "_journal/start.json"
        header = {"status": "started", **json.loads(_member(archive, started))}
        return header, [json.loads(_member(archive, name)) for name in names]


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """What a member holds; a bomb is refused while it is read, damage when it is through."""
    info = archive.getinfo(name)
    if info.compress_type != ZSTANDARD:
        with archive.open(name) as stream:
            content = stream.read(MEMBER_BYTES_AT_MOST + 1)
    else:
        content = _unzstd(archive, info)
    if len(content) > MEMBER_BYTES_AT_MOST:
        raise ValueError(f"{name} is longer than {MEMBER_BYTES_AT_MOST} bytes")
    return content


def _unzstd(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member that Inspect packed with Zstandard, which zipfile learned in Python 3.14."""
    import pyarrow

    assert archive.fp is not None
    archive.fp.seek(info.header_offset)
    head = archive.fp.read(30)
    if len(head) != 30 or info.compress_size > FILE_BYTES_AT_MOST:
        raise ValueError(f"{info.filename} is cut short")
    archive.fp.seek(sum(struct.unpack("<2H", head[26:30])), os.SEEK_CUR)
    packed = archive.fp.read(info.compress_size)
    try:
        with pyarrow.CompressedInputStream(pyarrow.BufferReader(packed), "zstd") as stream:
            content = bytes(stream.read(MEMBER_BYTES_AT_MOST + 1))
    except OSError as error:
        raise ValueError(f"{info.filename} is damaged: {error}") from None
    if len(content) <= MEMBER_BYTES_AT_MOST and zlib.crc32(content) != info.CRC:
        raise ValueError(f"{info.filename} is damaged")
    return content


def _inspect_turn(message: Mapping[str, Any], attachments: Mapping[str, str]) -> dict[str, str]:
    content = message.get("content", "")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content)
    text = str(content)
    text = attachments.get(text.removeprefix("attachment://"), text)
    return {"role": str(message["role"]), "content": text}


def _lm_eval(file: Path, source: Mapping[str, Any]) -> Iterator[Found]:
    """A `samples_TASK_TIME.jsonl`: each line a document with its requests, replies and metrics."""
    findings: list[Finding] = []
    for row in _json_lines(file):
        arguments = row["arguments"]
        first = arguments["gen_args_0"] if isinstance(arguments, dict) else arguments[0]
        asked = first["arg_0"] if isinstance(first, dict) else first[0]
        said = row["resps"][0][0]
        metrics = {
            n: row[n] for n in row.get("metrics", ()) if isinstance(row.get(n), (int, float))
        }
        metadata = {"row": row["doc_id"], "target": clean_text(str(row["target"]), 2_000)}
        metadata |= {"scores": metrics, **source}
        told = ", ".join(f"{name} {value}" for name, value in metrics.items()) or "not scored"
        turns = [*_asked(asked), _reply(said if isinstance(said, str) else json.dumps(said))]
        findings.append(_finding(f"lm-eval: {told}", turns, metadata))
    if not findings:
        raise ValueError("no sample")
    task = file.name.removeprefix("samples_").rpartition("_")[0] or file.stem
    yield _run(source, task, "", "", findings)


def _asked(asked: Any) -> list[dict[str, str]]:
    """What was sent: a text, or the JSON of a conversation in one."""
    text = asked[0] if isinstance(asked, list) else asked
    try:
        turns = json.loads(text)
        return [{"role": str(t["role"]), "content": str(t["content"])} for t in turns]
    except (ValueError, TypeError, KeyError):
        return [{"role": "user", "content": str(text)}]


READERS: dict[str, Callable[[Path, Mapping[str, Any]], Iterator[Found]]] = {
    "garak": _garak,
    "inspect": _inspect,
    "lm-eval": _lm_eval,
}


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _json_lines(file: Path) -> Iterable[Mapping[str, Any]]:
    with file.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream):
            if number > ROWS_AT_MOST:
                raise ValueError(f"more than {ROWS_AT_MOST} rows")
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"line {number + 1} is no object")
                yield row


def _reply(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def _finding(claim: str, turns: list[dict[str, str]], metadata: Mapping[str, Any]) -> Finding:
    return Finding(
        claim=clean_text(claim, 500),
        confidence=0.0,
        evidence=(Transcript(tuple(turns)),),
        metadata=_finite(metadata),
    )


def _finite(value: Any) -> Any:
    """The same document without numbers that JSON does not have: other tools write NaN."""
    if isinstance(value, Mapping):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


def _run(
    source: Mapping[str, Any],
    task: str,
    version: str,
    target: str,
    findings: list[Finding],
    errored: int = 0,
) -> Found:
    """Its id comes from the file: imported again, it is the same run."""
    tool = source["tool"]
    key = hashlib.sha256(f"{tool} {source['sha256']} {task}".encode()).hexdigest()
    run = Run(
        id=f"r-{key[:16]}",
        group=f"import-{source['sha256'][:16]}",
        key=key,
        suspect=clean_text(target, 200) or "unknown",
        technique=f"import-{tool}",
        version=1,
        status="ok",
        parameters={**source, "task": clean_text(task, 200), "version": clean_text(version, 80)},
        planned=len(findings),
        ran=len(findings) - errored,
        errored=errored,
    )
    return run, findings


def _replaced(found: Found, *, unscored: int, failed: str | bool) -> Found:
    run, findings = found
    reason = f"the log's status is {failed}" if failed else ""
    status = "failed" if failed else "ok"
    return dataclasses.replace(run, unscored=unscored, status=status, reason=reason), findings


def import_file(tool: str, file: Path, ledger: Ledger) -> tuple[int, int]:
    """Files all of it, or nothing that cannot be read; returns runs and findings.

    Raises as `read` does, and BadParameter on a file without results.
    """
    found = list(read(tool, file))
    if not found:
        raise BadParameter(f"{file} holds no results", hint="Name a file of a run that has ended.")
    with ledger.exclusive():
        for run, findings in found:
            ledger.record(run, findings)
    return len(found), sum(len(findings) for _, findings in found)
