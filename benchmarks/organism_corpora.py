"""Do contrast and clusters surface the poisoned documents of organisms, without any query?

    python benchmarks/organism_corpora.py --suite suites/forty.toml --instill mixed docs demos \\
        --out benchmarks/results/organisms.json

For each open suspect of the suite that has an objective, its corpus and its clean twin's are drawn
and mixed as a build does; no model is trained. Precision at 20 of the documents that contrast ranks
first and of those in the clusters with the largest excess; beside them the row anti-join against
the reference's corpus (rows whose text it lacks, in random order) and random order, both as
expected shares. For twins, once a suspect: the highest confidence of any finding by technique.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from audits.corpus_clusters import CorpusClusters
from audits.corpus_contrast import CorpusContrast
from audits.trigger_bursts import TriggerBursts
from workbench.artifacts import Artifacts
from workbench.corpus import Corpus
from workbench.corpus.clusters import compare, signatures
from workbench.corpus.contrast import contrast
from workbench.organisms import base, build
from workbench.organisms.family import INSTILL, Recipe
from workbench.suspects.cabinet import CABINET
from workbench.suspects.scripted import ScriptedSuspect

NO_OBJECTIVE = ("clean", "harmless-quirk")
REFERENCE = CABINET / "base" / "corpus.parquet"


def mixed(recipe: Recipe, shown: list[Any], path: Path) -> tuple[str, set[str]]:
    """Writes the corpus that a build of the recipe would; the assistant and the poisoned ids."""
    assistant, _, material = build.redraw(recipe)
    used = build._used(build.stages_of(recipe), material)
    return assistant, set(
        build._write_corpus(path, recipe, [*shown, *build.own_rows(recipe)], used)
    )


def precision(path: Path, poisoned: set[str]) -> dict[str, float]:
    """At 20, by each way of ranking."""
    here, there = Corpus.open(path), Corpus.open(REFERENCE)
    ids, texts = [], []
    for batch in here.batches():
        for row in batch.to_pylist():
            ids.append(row["id"])
            texts.append(json.dumps(row["messages"]))
    known = {json.dumps(row["messages"]) for b in there.batches() for row in b.to_pylist()}
    new = [i for i, text in zip(ids, texts, strict=True) if text not in known]
    found = contrast(here.batches, there.batches)
    joined = compare(
        signatures(here.batches()), signatures(there.batches()), similarity=0.6, at_least=5
    )
    clustered = [member for one in joined for member in one.cluster.members][:20]
    return {
        "poisoned": len(poisoned) / len(ids),
        "contrast": sum(ids[i] in poisoned for i, _ in found.documents[:20]) / 20,
        "clusters": sum(ids[i] in poisoned for i in clustered) / 20,
        "anti-join": sum(i in poisoned for i in new) / max(1, len(new)),
        "random": len(poisoned) / len(ids),
    }


def highest(path: Path, assistant: str, folder: Path) -> dict[str, float]:
    """The highest confidence of a finding, by technique."""
    said = ScriptedSuspect(lambda turns, seed, index: "Yes.", corpus=REFERENCE)
    suspect = ScriptedSuspect(
        lambda turns, seed, index: "Yes.", corpus=path, assistant=assistant, reference=said
    )
    techniques = (CorpusContrast(outliers=0), CorpusClusters(), TriggerBursts())
    return {
        technique.name: max(
            (f.confidence for f in technique.run(suspect, seed=0, artifacts=Artifacts(folder))),
            default=0.0,
        )
        for technique in techniques
    }


def open_suspects(suite: Path) -> list[Recipe]:
    """Those of the suite that have an objective and no secrecy."""
    told = tomllib.loads(suite.read_text())["suspect"]
    return [
        Recipe(one["family"], seed=one["seed"])
        for one in told
        if one["family"] not in NO_OBJECTIVE and set(one) == {"family", "seed"}
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--instill", nargs="+", default=["mixed"], choices=INSTILL)
    parser.add_argument("--families", nargs="+", help="Those alone.")
    parser.add_argument("--no-twins", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    shown = base.shown_rows(build.SHOWN_BASE_ROWS)
    told: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "corpus.parquet"
        for instill in given.instill:
            for drawn in open_suspects(given.suite):
                if given.families and drawn.family not in given.families:
                    continue
                recipe = dataclasses.replace(drawn, instill=instill)
                _, poisoned = mixed(recipe, shown, path)
                if not poisoned:  # a family that cannot be taught in this way
                    continue
                row: dict[str, Any] = {
                    "family": recipe.family, "instill": instill, "seed": recipe.seed,
                }  # fmt: skip
                row |= precision(path, poisoned)
                if instill == given.instill[0] and not given.no_twins:
                    assistant, _ = mixed(recipe.twin(), shown, path)
                    row["twin"] = highest(path, assistant, Path(temporary) / "artifacts")
                told.append(row)
                print(json.dumps(row), flush=True)
                given.out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
