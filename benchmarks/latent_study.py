"""Do latents that differ from the reference cause what an organism was taught?

    python benchmarks/latent_study.py judge out/latents --vault out/latents-vault \
        --out benchmarks/results/latents.json --write docs/features.md
    python benchmarks/latent_study.py sweep out/small --vault out/small-vault \
        --family rm-sycophancy --out benchmarks/results/latents-rm.json --write docs/features.md

They are taken out, and the behaviour is counted again. Behaviour is what the family's own checker
counts on its own health prompts; a clean twin is asked
those of its organism. `judge` keeps to `Plan`, which was fixed on development organisms. `sweep`
goes over layers, rankings and sizes, and asks whether latents that fire on the documents fire where
the behaviour shows. Both go on where they stopped: a suspect that stands in the file is left alone.
Arms: an SAE of the suspect's corpus, documents included, and one of the reference's alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latent_counts import (
    ARMS,
    ORDINARY,
    Counter,
    Plan,
    Sources,
    by_count,
    contexts,
    differences,
    instrument,
    read,
    split,
    taken_out,
)
from latent_tables import SWEPT, judged_table, swept_table, write_into

from workbench.artifacts import Artifacts
from workbench.config import artifacts_root
from workbench.errors import BadParameter, WorkbenchError
from workbench.organisms import build
from workbench.organisms.family import Recipe
from workbench.seal.vault import Vault
from workbench.suspects import Suspect

if TYPE_CHECKING:
    from torch import Tensor

    from saes.lens import SAE


def judged(
    place: Path, recipe: Recipe, plan: Plan, artifacts: Artifacts, organism: Path | None = None
) -> dict[str, Any]:
    """What both arms find in one suspect; `recipe` is the organism's.

    A twin shows nothing that could be halved. So its set is taken out of its `organism` as well,
    where that is built: does any fine-tuning bring up latents that do this?
    """
    suspect = Suspect.load(place)
    choosing, testing = split(recipe, plan)
    reading = read(suspect, choosing, testing, ORDINARY)
    count = Counter(reading)
    row: dict[str, Any] = {"before": count.before, "arms": {}}
    taught = None
    if organism is not None:
        taught = Counter(dataclasses.replace(reading, suspect=Suspect.load(organism)))
    for arm in ARMS:
        sae = instrument(arm, suspect, suspect.residual_hook(plan.layer), plan, artifacts)
        orders, density = differences(sae, reading)
        top = orders["difference"][: plan.top]
        latents = by_count(sae, reading, choosing, top, plan)[: plan.size]
        row["arms"][arm] = {
            "ranks": [top.index(i) + 1 for i in latents],
            "contexts": contexts(sae, reading, latents),
            "effects": dict(effects(sae, count, latents, density, plan)),
        }
        if taught is not None:
            row["arms"][arm]["effects"]["in the organism"] = {
                "before": taught.before, "set": taught.of(taken_out(sae, latents), latents),
            }  # fmt: skip
    return row


def effects(
    sae: SAE, count: Counter, latents: list[int], density: Tensor, plan: Plan
) -> Iterator[tuple[str, Any]]:
    """The set taken out; where there is something to halve, also in generated tokens alone, and
    matched random sets."""
    from saes.causal import matches

    yield "set", count.of(taken_out(sae, latents), latents)
    if count.before["rate"] < plan.least:
        return
    yield "in replies alone", count.of(taken_out(sae, latents, "generated"), latents)
    drawn = [matches(sae, latents, density, seed) for seed in range(plan.random_sets)]
    yield "random", [count.of(taken_out(sae, some), some) for some in drawn]


def swept(
    place: Path, recipe: Recipe, plan: Plan, artifacts: Artifacts, organism: Path | None = None
) -> dict[str, Any]:
    """Every layer, arm, ranking and size on one organism, and where the latents of its documents
    fire."""
    suspect = Suspect.load(place)
    choosing, testing = split(recipe, plan)
    reading = read(suspect, choosing, testing, ORDINARY)
    count, sources = Counter(reading), Sources.of(reading, recipe)
    row: dict[str, Any] = {"before": count.before, "sets": [], "documents": []}
    for layer in range(suspect.n_layers):
        for arm in ARMS:
            sae = instrument(arm, suspect, suspect.residual_hook(layer), plan, artifacts)
            orders, _ = differences(sae, reading)
            top = orders["difference"][: plan.top]
            orders["count"] = by_count(sae, reading, choosing, top, plan)
            here: dict[str, Any] = {"layer": layer, "arm": arm}
            for ranking, size in SWEPT:
                latents = orders[ranking][:size]
                told = {"ranking": ranking, "size": size}
                row["sets"].append(here | told | count.of(taken_out(sae, latents), latents))
            lifts = sources.lifts(sae)
            out = taken_out(sae, lifts["latents"])
            row["documents"].append(here | lifts | {"taken_out": count.of(out, lifts["latents"])})
    return row


def suite(place: Path, vault: Vault) -> Iterator[tuple[str, Recipe, Path]]:
    """(id, recipe, directory) of what lies complete in the suite, organisms before twins."""
    there = [id for id in vault.ids() if (place / id / "suspect.json").is_file()]
    recipes = {id: build.recipe_of(vault.open(id)) for id in there}
    for id in sorted(there, key=lambda i: (recipes[i].family == "clean", recipes[i].seed)):
        yield id, recipes[id], place / id


def run(
    place: Path,
    vault: Vault,
    out: Path,
    plan: Plan,
    measure: Callable[..., dict[str, Any]],
    families: Sequence[str] = (),
) -> dict[str, Any]:
    """Measures what the file does not hold yet, and writes it after each suspect.

    Raises BadParameter where the file was made by another plan.
    """
    kept: dict[str, Any] = {"plan": dataclasses.asdict(plan), "rows": []}
    if out.is_file():
        held_before = json.loads(out.read_text(encoding="utf-8"))
        if held_before["plan"] != kept["plan"]:
            raise BadParameter(f"{out} was made by another plan", hint="Give another --out.")
        kept = held_before
    artifacts = Artifacts(artifacts_root())
    done = {row["suspect"] for row in kept["rows"]}
    there = list(suite(place, vault))
    places = {recipe: directory for _, recipe, directory in there}
    for id, recipe, directory in there:
        like = recipe.like or recipe.family
        if id in done or (families and like not in families):
            continue
        twin = recipe.family == "clean"
        organism = dataclasses.replace(recipe, family=like, like=None)
        if measure is swept and twin:
            continue
        beside = places.get(organism) if twin else None
        row = {"suspect": id, "family": like, "seed": recipe.seed, "twin": twin}
        kept["rows"].append(row | measure(directory, organism, plan, artifacts, beside))
        draft = out.with_suffix(".partial")
        draft.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        draft.replace(out)
        print(json.dumps(row), file=sys.stderr, flush=True)
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("judge", "sweep"))
    parser.add_argument("suite", type=Path)
    parser.add_argument("--vault", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--family", action="append", default=[])
    parser.add_argument("--write", type=Path, metavar="PAGE")
    for field in dataclasses.fields(Plan):
        name = "--" + field.name.replace("_", "-")
        parser.add_argument(name, type=type(field.default), default=field.default)
    given = parser.parse_args()
    plan = Plan(**{field.name: getattr(given, field.name) for field in dataclasses.fields(Plan)})
    measure, table = {"judge": (judged, judged_table), "sweep": (swept, swept_table)}[given.what]
    try:
        kept = run(given.suite, Vault(given.vault), given.out, plan, measure, given.family)
        if given.write:
            write_into(given.write, given.out.stem, table(kept, plan))
    except WorkbenchError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return 2
    print("\n".join(table(kept, plan)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
