"""A team's side of a game, over HTTP with nothing but a token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workbench.errors import SealBroken
from workbench.findings import Finding
from workbench.seal.commit import verify
from workbench.suspects.connection import Connection

PLAYED = ("open", "explain")
"""Phases in which suspects answer."""


class Team:
    """What a team may do beside auditing; `suspect_url` is what `Suspect.load` takes."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._host = Connection(self.url, token)

    def suspect_url(self, name: str) -> str:
        """Where a suspect is audited, under the same token."""
        return f"{self.url}/suspects/{name}"

    def brief(self) -> dict[str, Any]:
        """Phase, clock, rules, isolation; by suspect the access, the budget and what is spent."""
        made: dict[str, Any] = self._host.get("/game")
        return made

    def join(self) -> dict[str, Any]:
        """The receipt to keep: seal, chain and fingerprints, as this team was shown them."""
        made: dict[str, Any] = self._host.post("/game/join", {})
        return made

    def check(self, receipt: Mapping[str, Any]) -> None:
        """Raises SealBroken where a suspect that answers is not the one of the receipt."""
        for name, parts in receipt["fingerprints"].items():
            now = self._host.get(f"/suspects/{name}/audit/fingerprint")["parts"]
            if now != parts:
                raise SealBroken(
                    f"suspect '{name}' is not the one that the receipt names",
                    hint="Tell the other teams: it was swapped after the seal.",
                )

    def keep(self, suspect: str, finding: Finding) -> str:
        """Files a finding and returns its id, by which a submission cites it."""
        made = self._host.post(f"/suspects/{suspect}/audit/findings", finding.to_json())
        return str(made["id"])

    def submit(
        self,
        suspect: str,
        document: Mapping[str, Any],
        own: Callable[[str], Finding | None] = lambda id: None,
    ) -> dict[str, Any]:
        """Hands in a revision. own: a finding of one's own ledger by its id; such are filed on the
        host first, and cited by the id that they get there."""
        return self._hand_in(suspect, "submission", document, own)

    def explain(
        self,
        suspect: str,
        document: Mapping[str, Any],
        own: Callable[[str], Finding | None] = lambda id: None,
    ) -> dict[str, Any]:
        """Hands in a revision of what causes the behaviour of the second phase; as `submit`."""
        return self._hand_in(suspect, "explanation", document, own)

    def _hand_in(
        self,
        suspect: str,
        move: str,
        document: Mapping[str, Any],
        own: Callable[[str], Finding | None],
    ) -> dict[str, Any]:
        evidence = document.get("evidence", [])
        cited = []
        for id in evidence if isinstance(evidence, list) else []:
            finding = own(id)
            cited.append(id if finding is None else self.keep(suspect, finding))
        sent = {**document, "evidence": cited if isinstance(evidence, list) else evidence}
        made: dict[str, Any] = self._host.post(f"/suspects/{suspect}/{move}", sent)
        return made

    def question(self, suspect: str) -> dict[str, Any]:
        """What the second phase asks about a suspect, and what this team answered; GameClosed
        before it. Raises SealBroken where the behaviour is not the one that was sealed."""
        made: dict[str, Any] = self._host.get(f"/suspects/{suspect}/explanation")
        if made["behaviour"] is not None:
            _refuse_other({"suspect": suspect, "text": made["behaviour"]}, made)
        return made

    def hints(self, suspect: str) -> list[dict[str, Any]]:
        """The hints on a suspect: number, what it is about, price; the text of those bought."""
        made: list[dict[str, Any]] = self._host.get(f"/suspects/{suspect}/hints")["hints"]
        for one in made:
            _refuse_other_hint(suspect, one)
        return made

    def buy(self, suspect: str, hint: int) -> dict[str, Any]:
        """Pays for a hint, once however often it is asked; raises BudgetExceeded, GameClosed, and
        SealBroken where its text is not the one that was sealed."""
        made: dict[str, Any] = self._host.post(f"/suspects/{suspect}/hints", {"hint": hint})
        _refuse_other_hint(suspect, made)
        return made

    def findings(self, suspect: str) -> list[dict[str, Any]]:
        """What this team kept on a suspect, and what techniques found for it on the host: findings
        with id and technique, oldest first."""
        kept = self._host.get(f"/suspects/{suspect}/audit/findings")
        found = [{**finding, "technique": "kept"} for finding in kept]
        for job in self.jobs(suspect):
            for run in self.runs(suspect, str(job["id"])) if job["runs"] else ():
                found += [{**f, "technique": run["technique"]} for f in run["findings"]]
        return found

    def jobs(self, suspect: str) -> list[dict[str, Any]]:
        """This team's jobs on a suspect, oldest first."""
        made: list[dict[str, Any]] = self._host.get(f"/suspects/{suspect}/audit/jobs")
        return made

    def start(self, suspect: str, battery: Mapping[str, Any]) -> dict[str, Any]:
        """Queues a battery, which runs on the host and on this team's budget."""
        made: dict[str, Any] = self._host.post(f"/suspects/{suspect}/audit/jobs", battery)
        return made

    def cancel(self, suspect: str, job: str) -> None:
        """Ends a job; what it found stays."""
        self._host.post(f"/suspects/{suspect}/audit/jobs/{job}/cancel", {})

    def runs(self, suspect: str, job: str) -> list[dict[str, Any]]:
        """A job's runs so far, each with its findings."""
        made: list[dict[str, Any]] = self._host.get(
            f"/suspects/{suspect}/audit/jobs/{job}/findings"
        )
        return made

    def hypotheses(self, suspect: str) -> list[dict[str, Any]]:
        """The team's board on a suspect, oldest first."""
        made: list[dict[str, Any]] = self._host.get(f"/suspects/{suspect}/board")["entries"]
        return made

    def suppose(self, suspect: str, entry: Mapping[str, Any]) -> int:
        """Adds an entry to the board (says, stance, on, by, findings); returns its number."""
        return int(self._host.post(f"/suspects/{suspect}/board", entry)["entry"])

    def done(self) -> None:
        """Tells the organiser that this team has handed in all that it wants to."""
        self._host.post("/game/done", {})

    def submissions(self, suspect: str) -> dict[str, Any]:
        """What this team handed in, and how many revisions are left."""
        made: dict[str, Any] = self._host.get(f"/suspects/{suspect}/submission")
        return made

    def scores(self) -> dict[str, Any]:
        """By team and suspect, once the game is graded; GameClosed before."""
        made: dict[str, Any] = self._host.get("/game/scores")["scores"]
        return made

    def reveal(self) -> dict[str, Any]:
        """Seal, scores, timelines and submissions of all, once revealed; GameClosed before."""
        made: dict[str, Any] = self._host.get("/game/reveal")
        return made


def _refuse_other_hint(suspect: str, made: Mapping[str, Any]) -> None:
    if made["text"] is not None:
        letter = {"suspect": suspect, "hint": made["hint"], "text": made["text"]}
        _refuse_other(letter, made)


def _refuse_other(letter: Mapping[str, Any], made: Mapping[str, Any]) -> None:
    if not verify(letter, bytes.fromhex(made["nonce"]), made["commitment"]):
        raise SealBroken(
            f"the text about suspect '{letter['suspect']}' is not the one that was sealed",
            hint="Keep it, and tell the other teams.",
        )
