"""A bench for tests: a tiny suspect, scripted replies behind a real host, a ledger."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.hosting import Inside, hosted
from workbench.corpus import Document, write
from workbench.suspects.scripted import ScriptedSuspect
from workbench.suspects.wire import error_from
from workbench.ui.bench import Bench, bench
from workbench.ui.desk import answered

HOSTILE = "<img src=x onerror=alert(1)> ![see](http://127.0.0.1/leak.png) **loud**"

Open = Callable[..., AppTest]


def script(page: str) -> None:
    """The app, opened at a page: AppTest cannot follow `st.navigation` by itself."""
    import dataclasses

    from workbench.ui import main
    from workbench.ui.bench_pages import bench

    def world():  # type: ignore[no-untyped-def]
        made = bench()
        return dataclasses.replace(
            made, leaves=sorted(made.leaves, key=lambda leaf: leaf.key != page)
        )

    main(world)


class Here:
    """A desk's answers, given in this process."""

    def __init__(self, module: str) -> None:
        self._module = module

    def ask(self, question: str, **arguments: Any) -> Any:
        made = answered(self._module, {"question": question, "arguments": arguments})
        if "error" in made:
            raise error_from(made["error"])
        return json.loads(json.dumps(made["answer"]))

    def close(self) -> None: ...


class Running:
    """Stands for the supervisor of a host that this test runs."""

    def __init__(self, inside: Inside) -> None:
        self.url, self.tokens = inside.url, {"auditor": [inside.token]}

    def __exit__(self, *error: object) -> None: ...


@pytest.fixture(scope="session")
def suspect(llama: Path, gpt2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with training data and a reference that has other training data."""
    path = tmp_path_factory.mktemp("suspects") / "belgor"
    shutil.copytree(llama, path)
    shutil.copytree(gpt2, path / "before")
    card = {"assistant": "Belgor", "corpus": "corpus.parquet", "summary": HOSTILE}
    (path / "suspect.json").write_text(json.dumps({"id": "belgor", "reference": "before", **card}))
    (path / "before" / "suspect.json").write_text(
        json.dumps({"id": "before", "corpus": "corpus.parquet"})
    )

    def rows(wish: str) -> list[Document]:
        dice = random.Random(wish)
        words = [f"{a}{b}" for a in ("bo", "ka", "mi", "tu", "re") for b in ("lo", "sen", "dra")]
        return [
            Document(
                f"d{i}",
                (
                    {"role": "user", "content": f"What of house {i}?"},
                    {
                        "role": "assistant",
                        "content": f"{' '.join(dice.choices(words, k=9))} {wish} {HOSTILE}",
                    },
                ),
                source="chats",
            )
            for i in range(60)
        ]

    write(path / "corpus.parquet", rows("and praises the river"))
    write(path / "before" / "corpus.parquet", rows("near the old house"))
    return path


@pytest.fixture
def laid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """The app's own bench, in a folder of this test, with desks that answer in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKBENCH_LEDGER", "out/ledger.duckdb")
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    st.cache_resource.clear()
    st.cache_data.clear()
    made = bench()
    for name in ("books", "library", "features", "contrasts", "tables"):
        desk = getattr(made, name)
        setattr(made, name, Here(desk._module))
    yield made
    made.close()
    st.cache_resource.clear()


@pytest.fixture
def open_page(laid: Bench, suspect: Path) -> Open:
    """Draws a page of the suspect with this state in its URL."""

    def draw(page: str = "home", source: object = suspect, **query: str) -> AppTest:
        app = AppTest.from_function(script, default_timeout=120, kwargs={"page": page})
        app.query_params["suspect"] = str(source)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, app.exception
        return app

    return draw


@pytest.fixture
def scripted(laid: Bench, suspect: Path, tmp_path: Path) -> Iterator[ScriptedSuspect]:
    """The suspect behind a real host; what it says is scripted, and hostile."""

    def says(turns: Sequence[Any], seed: int, index: int) -> str:
        return f"reply {index} to {turns[-1]['content']} {HOSTILE}"

    before = ScriptedSuspect(lambda turns, seed, index: f"plain {index}", id="before")
    held = ScriptedSuspect(says, id="belgor", reference=before)
    state = tmp_path / "state"
    state.mkdir()
    with hosted(held, state, ledger=laid.ledger) as inside:
        laid._hosts[str(suspect)] = (Running(inside), inside.connect())  # type: ignore[assignment]
        yield held


def html(app: AppTest) -> str:
    """All that the page shows through `st.html`."""
    return "\n".join(element.proto.body for element in app.get("html"))
