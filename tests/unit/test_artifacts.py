from __future__ import annotations

import os
import time
from pathlib import Path

from workbench.artifacts import ABANDONED_SECONDS, Artifacts


def test_drafts_of_killed_processes_are_removed_after_a_day(tmp_path: Path) -> None:
    made = Artifacts(tmp_path).get_or_make("sae", {"k": 1}, lambda into: None)
    old, young = tmp_path / "sae" / ".draft-old", tmp_path / "sae" / ".draft-young"
    for draft in (old, young):
        draft.mkdir()
        (draft / "weights").write_text("half of them")
    past = time.time() - ABANDONED_SECONDS - 60
    os.utime(old, (past, past))
    os.utime(made, (past, past))
    Artifacts(tmp_path).get_or_make("sae", {"k": 2}, lambda into: None)
    assert not old.exists()
    assert young.exists()
    assert made.is_dir()
