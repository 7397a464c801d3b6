"""Ledgers as Inspect logs, written without Inspect: one log per run, one sample per finding.

The layout is version 2 of Inspect's log (`inspect log schema`) as a zip: Scout looks for `.eval`
files alone. `plan` and `stats` are there because reading a log's header needs them, and every
sample has a `uuid` because scans join on it.
"""

from __future__ import annotations

import datetime
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import ConfigError, LedgerError
from workbench.findings import Finding, Transcript
from workbench.ledger import Entry, Ledger, Run

_STATUS = {"ok": "success", "failed": "error", "skipped": "cancelled"}
_ROLES = ("system", "user", "assistant")


def write(ledger: Ledger, out: Path) -> int:
    """Writes a log for each run into the directory `out`; returns how many.

    Logs of runs that are there already are written again, to the same bytes. Raises ConfigError
    where `out` is a file, LedgerError where it cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file", hint="Name a directory: there is a log per run.")
    runs = ledger.runs()
    by_run: dict[str, list[Entry]] = {run.id: [] for run in runs}
    for entry in ledger.entries():
        by_run.setdefault(entry.run, []).append(entry)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for run in runs:
            draft = out / f".{run.id}.draft"
            draft.write_bytes(_packed(document(run, by_run[run.id])))
            os.replace(draft, out / _file(run))
    except OSError as error:
        raise LedgerError(
            f"cannot write into {out}: {error.strerror}", hint="Choose another --out."
        ) from None
    return len(runs)


def _packed(log: Mapping[str, Any]) -> bytes:
    """The log as a zip whose bytes depend on its content alone."""
    header = {name: part for name, part in log.items() if name != "samples"}
    parts: dict[str, Any] = {
        "_journal/start.json": {n: log[n] for n in ("version", "eval", "plan")},
        **{f"samples/{s['id']}_epoch_{s['epoch']}.json": s for s in log["samples"]},
        "summaries.json": [_summary(sample) for sample in log["samples"]],
        "header.json": header,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, json.dumps(part))
    return buffer.getvalue()


def _summary(sample: Mapping[str, Any]) -> dict[str, Any]:
    """What lists show of a sample."""
    same = ("id", "epoch", "uuid", "input", "target", "metadata", "model_usage")
    scores = {
        name: {part: score[part] for part in ("value", "answer")}
        for name, score in sample["scores"].items()
    }
    counted = {"message_count": len(sample["messages"]), "completed": True}
    return {**{name: sample[name] for name in same}, "scores": scores, **counted}


def document(run: Run, entries: Sequence[Entry]) -> dict[str, Any]:
    """One run as a log. Its traceback stays here: it speaks of this machine."""
    model = f"workbench/{run.suspect}"
    counts = {n: getattr(run, n) for n in ("planned", "ran", "errored", "refused", "unscored")}
    log: dict[str, Any] = {
        "version": 2,
        "status": _STATUS[run.status],
        "eval": {
            "eval_id": _short(run.id, "eval"),
            "run_id": _short(run.group, "run"),
            "created": _when(run.started),
            "task": run.technique,
            "task_id": _short(run.key, "task"),
            "task_version": run.version,
            "task_attribs": {},
            "task_args": dict(run.parameters),
            "task_args_passed": dict(run.parameters),
            "dataset": {
                "name": "findings",
                "samples": len(entries),
                "sample_ids": [entry.id for entry in entries],
                "shuffled": False,
            },
            "model": model,
            "model_generate_config": {"seed": run.seed},
            "model_args": {},
            "config": {},
            "packages": {},
            "tags": [f"group:{run.group}", f"status:{run.status}"],
            "metadata": {
                "run": run.id,
                "key": run.key,
                "reason": run.reason,
                "access": list(run.access),
                "budget": dict(run.budget),
                "usage": dict(run.usage),
                "fingerprints": dict(run.fingerprints),
                **counts,
            },
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {
            "total_samples": len(entries),
            "completed_samples": len(entries),
            "scores": [_mean(entries)] if entries else [],
        },
        "stats": {
            "started_at": _when(run.started),
            "completed_at": _when(run.finished),
            "model_usage": {},
        },
        "samples": [_sample(entry, model) for entry in entries],
    }
    if run.status == "failed":
        error = {"message": run.reason, "traceback": "", "traceback_ansi": ""}
        log["error"] = error
    return log


def _sample(entry: Entry, model: str) -> dict[str, Any]:
    finding = entry.finding
    turns = _turns(finding)
    said = turns[-1]["content"] if turns and turns[-1]["role"] == "assistant" else ""
    choice = {
        "message": {"role": "assistant", "content": said, "source": "generate", "model": model},
        "stop_reason": "stop",
    }
    amended = [
        {"note": a.note, "changes": dict(a.changes), "author": a.author, "at": a.at}
        for a in entry.amendments
    ]
    shown = finding.to_json()
    return {
        "id": entry.id,
        "epoch": 1,
        "uuid": _short(entry.id, "sample"),
        "input": finding.claim if not turns else [t for t in turns if t["role"] != "assistant"],
        "target": "",
        "messages": turns,
        "output": {"model": model, "choices": [choice], "completion": said},
        "scores": {
            "confidence": {
                "value": float(finding.confidence),
                "answer": finding.claim,
                "explanation": finding.claim,
                "metadata": {
                    "points_to": shown["points_to"],
                    "evidence": shown["evidence"],
                    "metadata": shown["metadata"],
                    "amendments": amended,
                },
            }
        },
        "metadata": {"run": entry.run, "position": entry.position},
        "store": {},
        "events": [],
        "model_usage": {},
        "attachments": {},
    }


def _turns(finding: Finding) -> list[dict[str, Any]]:
    """The first transcript, with roles that Inspect knows."""
    for evidence in finding.evidence:
        if isinstance(evidence, Transcript):
            return [_turn(message) for message in evidence.messages]
    return []


def _turn(message: Mapping[str, str]) -> dict[str, Any]:
    role, content = message.get("role", "user"), message.get("content", "")
    return {"role": role if role in _ROLES else "user", "content": content}


def _mean(entries: Sequence[Entry]) -> dict[str, Any]:
    values = [float(entry.finding.confidence) for entry in entries]
    metric = {"name": "mean", "value": sum(values) / len(values), "params": {}}
    return {"name": "confidence", "scorer": "confidence", "params": {}, "metrics": {"mean": metric}}


def _file(run: Run) -> str:
    """The viewer reads time, task and id out of it."""
    stamp = _when(run.started).replace(":", "-")
    return f"{stamp}_{run.technique}_{_short(run.id, 'eval')}.eval"


def _when(stamp: str) -> str:
    try:
        at = datetime.datetime.fromisoformat(stamp)
    except ValueError:
        at = datetime.datetime.fromtimestamp(0, datetime.UTC)
    return at.isoformat(timespec="seconds")


def _short(id: str, kind: str) -> str:
    """22 letters and digits, as Inspect's own ids: the same for the same id."""
    return hashlib.sha256(f"{kind} {id}".encode()).hexdigest()[:22]
