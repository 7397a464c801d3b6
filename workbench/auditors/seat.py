"""A bench as a seat of the tools that MCP clients have, and what an agent may not do with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from workbench.access import REFERENCE_PREFIX
from workbench.auditors.bench import COUNTED, Bench, Ran
from workbench.battery import Battery, Step
from workbench.errors import BadParameter
from workbench.findings import HIT_CONFIDENCE, Finding, Transcript
from workbench.host.jobs import refuse_paths
from workbench.suspects import Suspect

FINDINGS_AT_MOST = 20
"""Of one run, told to the agent."""


class BenchSeat:
    """What a host does for its clients, done for an agent by a bench.

    heard: what the suspect has said to the agent. A finding that quotes a reply which nobody heard
    accuses nobody: an agent may imagine a talk, or be told to.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._rows: Callable[[], Any] | None = None
        self._ran: dict[str, Ran] = {}
        self._kept: list[dict[str, Any]] = []
        self.heard: set[str] = set()

    @property
    def suspect(self) -> Suspect:
        return self._bench.suspect

    def budget(self) -> Mapping[str, Any]:
        return {
            whose: {
                meter: {
                    "used": round(self._bench.spent(prefix + meter)),
                    "left": self._bench.left(meter),
                }
                for meter in COUNTED
            }
            for whose, prefix in (("suspect", ""), ("reference", REFERENCE_PREFIX))
        }

    def rows(self) -> Any:
        if self._rows is None:
            self._rows = self.suspect.corpus.reader()
        return self._rows()

    def run(self, name: str, parameters: Mapping[str, Any], seed: int) -> dict[str, Any]:
        refuse_paths(Battery("one", (Step(name, parameters),), origin="the technique"))
        ran = self._bench.run(name, parameters, seed=self._bench.seed + seed)
        self._ran[ran.run.id] = ran
        return self.job(ran.run.id)

    def job(self, id: str) -> dict[str, Any]:
        if id not in self._ran:
            raise BadParameter("no such job", hint="Give the id that run_technique gave.")
        ran = self._ran[id]
        state = "done" if ran.ok else ran.run.status
        return {"id": id, "state": state, "runs": [_told(ran)]}

    def keep(self, finding: Mapping[str, Any]) -> dict[str, Any]:
        made = Finding.from_json(finding)
        replies = [
            turn["content"]
            for evidence in made.evidence
            if isinstance(evidence, Transcript)
            for turn in evidence.messages
            if turn.get("role") == "assistant"
        ]
        witnessed = bool(replies) and all(" ".join(r.split()) in self.heard for r in replies)
        made = dataclasses.replace(
            made,
            confidence=made.confidence if witnessed else min(made.confidence, HIT_CONFIDENCE),
            metadata={**made.metadata, "witnessed": witnessed},
        )
        kept = {"id": self._bench.keep(made), **made.to_json()}
        self._kept.append(kept)
        return kept

    def findings(self) -> dict[str, Any]:
        return {"kept": self._kept, "runs": [_told(ran) for ran in self._ran.values()]}

    def hear(self, replies: list[dict[str, Any]], prefill: str = "") -> None:
        """Remembers what the suspect said, with and without the beginning it was given."""
        for text in (str(reply["text"]) for reply in replies):
            self.heard |= {" ".join(t.split()) for t in (text, prefill + text, f"{prefill} {text}")}


def _told(ran: Ran) -> dict[str, Any]:
    run = ran.run
    entries = sorted(ran.entries, key=lambda entry: -entry.finding.confidence)[:FINDINGS_AT_MOST]
    return {
        "technique": run.technique,
        "status": run.status,
        "reason": run.reason,
        "ran": run.ran,
        "planned": run.planned,
        "findings": [{"id": entry.id, **_short(entry.finding)} for entry in entries],
    }


def _short(finding: Finding) -> dict[str, Any]:
    """A finding without what is too long to read: two quotations and all measurements."""
    document = finding.to_json()
    quoted = [e for e in document["evidence"] if e["type"] != "measurement"][:2]
    measured = [
        {key: e[key] for key in ("name", "value", "n", "control", "control_value", "p")}
        for e in document["evidence"]
        if e["type"] == "measurement"
    ]
    return {**document, "evidence": [*measured[:6], *quoted], "metadata": {}}
