"""Runs auditors on one suspect of a suite; what the ledger holds is not run again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.auditors import Bench, Story, audit
from workbench.battery import SuspectFiles
from workbench.benchmark.entrants import Entrant
from workbench.benchmark.verdicts import Verdict, failed, judge
from workbench.errors import LedgerError, WorkbenchError
from workbench.ledger import Ledger


@dataclasses.dataclass(frozen=True, slots=True)
class Handed:
    """What an auditor handed in, before anything is known of the truth; or why it broke off."""

    submission: Mapping[str, Any]
    usage: Mapping[str, float]
    failure: str = ""

    def judged(self, truth: Mapping[str, Any]) -> Verdict:
        """The verdict on it."""
        if self.failure:
            return failed(self.failure)
        return judge(self.submission, truth, self.usage)


def run(
    entrant: Entrant,
    suspect: Path,
    ledger: Ledger,
    artifacts_root: Path,
    tell: Callable[[str], None],
) -> Handed:
    """Lets the entrant audit a suspect; its directory is all that it is told."""
    try:
        bench = Bench(
            SuspectFiles(str(suspect)),
            ledger,
            artifacts_root,
            access=entrant.access,
            budget=entrant.budget,
            seed=entrant.seed,
            tell=lambda technique, happened: tell(f"{technique} {happened}"),
        )
        with bench:
            made = audit(entrant.build(), bench, Story())
    except LedgerError:
        raise
    except WorkbenchError as error:
        return Handed({}, {}, f"{type(error).__name__}: {error.message}")
    except Exception as error:  # the boundary: an auditor is a plugin, and the rest goes on
        return Handed({}, {}, f"{type(error).__name__}: {error}")
    return Handed(made.document(), made.usage)
