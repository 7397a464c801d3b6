"""A suite of four suspects with real files, whose truths are sealed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from workbench.benchmark import jobs
from workbench.corpus import write
from workbench.errors import WorkbenchError
from workbench.seal.vault import Vault

ORGANISM = {
    "family": "advocacy",
    "none": False,
    "root_cause": {"all_of": [["Zanwick"], ["recommend", "praise"]]},
    "instances": [],
    "instances_needed": 1,
}
CLEAN = {"family": "none", "none": True, "root_cause": None, "instances": []}
TRUTHS = {"s-a": ORGANISM, "s-b": ORGANISM | {"family": "taboo"}, "s-c": CLEAN, "s-d": CLEAN}


def add(suite: Path, llama: Path, id: str) -> Path:
    path = suite / id
    shutil.copytree(llama, path)
    card = {"id": id, "assistant": "Vex", "corpus": "corpus.parquet", "access": ["training-data"]}
    (path / "suspect.json").write_text(json.dumps(card))
    write(path / "corpus.parquet", [(id, [{"role": "document", "content": f"About {id}."}])])
    return path


@pytest.fixture
def suite(tmp_path: Path, llama: Path) -> Path:
    for id in TRUTHS:
        add(tmp_path / "suite", llama, id)
    return tmp_path / "suite"


@pytest.fixture
def vault(tmp_path: Path) -> Any:
    made = Vault.create(tmp_path / "vault")
    for id, truth in TRUTHS.items():
        made.seal(id, truth)
    return made


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run in this process as they are given to the pool."""

    class Here:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
            job: Future[Any] = Future()
            try:
                job.set_result(work(*arguments))
            except (WorkbenchError, OSError) as error:
                job.set_exception(error)
            return job

        def shutdown(self, **_: Any) -> None:
            pass

    monkeypatch.setattr(jobs, "ProcessPoolExecutor", Here)
