"""What the jobs of the feature pages do: steer, compare, subtract, probe, index."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.artifacts import Artifacts
from workbench.config import artifacts_root
from workbench.errors import BadParameter
from workbench.ui.work import Reporter

if TYPE_CHECKING:
    from saes.lens import SAE
    from saes.steering import Direction
    from saes.store import Store
    from workbench.suspects import Suspect

ORDINARY = 64
"""Texts on which coherence is measured."""
TAIL = 20
"""Latents of each tail that are shown."""


def steer(
    reporter: Reporter,
    *,
    suspect: str,
    by: Mapping[str, Any],
    doses: Sequence[float],
    prompts: Sequence[str],
    behaviour: str,
    n: int,
    longest: int,
    seed: int,
) -> None:
    """A dose response. by: {"from": "latent", "sae", "latent"}, {"from": "texts", "hook_name",
    "one", "two"} or {"from": "probe", "probe"}."""
    from saes.causal import holds
    from saes.steering import both_controls, dose_response

    shows = holds(behaviour)
    reporter.tell(stage="loading", share=0.0)
    opened = _opened(suspect)
    ordinary = _ordinary(opened)
    direction = _direction(opened, by, ordinary, seed)
    found, length = dose_response(
        opened,
        direction,
        doses,
        conversations=_asked(prompts),
        shows=shows,
        ordinary=ordinary,
        n=n,
        max_new_tokens=longest,
        seed=seed,
        progress=reporter.share("steering"),
    )
    reporter.give(
        {
            "doses": [dose.to_json() for dose in found],
            "controls": [
                {"dose": dose, "rate": rate.value, "n": rate.n, "interval": list(rate.interval)}
                for dose, rate in both_controls(found).items()
            ],
            "hook_name": direction.hook_name,
            "likeness": direction.likeness,
            "length": length,
            "maximum": direction.maximum / length,
            "ordinary": len(ordinary),
        }
    )


def compare(
    reporter: Reporter, *, suspect: str, sae: str, rows: int, checkpoints: Sequence[str]
) -> None:
    """Suspect against reference through an SAE, on rows of the suspect's training data."""
    from saes.diff import compare as between
    from saes.diff import stages
    from saes.texts import corpus_texts
    from workbench.suspects import Suspect

    reporter.tell(stage="loading", share=0.0)
    opened = _opened(suspect)
    reference = opened.reference
    models = [Suspect.load(one) for one in checkpoints]
    through, store = _sae(opened, sae)
    beside = [model for model in (reference, *models) if model.d_model == opened.d_model]
    texts = [text.text for text in corpus_texts(opened, rows, 1, beside=beside)]
    reporter.share("reading")(0.1)
    compared = between(through, opened, reference, texts)
    reporter.share("reading")(0.6)
    up, down = compared.tails(TAIL)
    shown = (*up, *down)
    along = stages(through, models, texts, [c.latent for c in shown]) if models else []
    labels = store.latents["label"].to_pylist()
    every = sorted(c.difference for c in compared.changes)
    reporter.give(
        {
            "changes": [
                {
                    **dataclasses.asdict(change),
                    "interval": list(change.interval),
                    "label": labels[change.latent],
                    "stages": along[place] if along else [],
                }
                for place, change in enumerate(shown)
            ],
            "checkpoints": [model.id for model in models],
            "usual": [every[len(every) // 40], every[-1 - len(every) // 40]] if every else [0, 0],
            "live": len(every),
            "texts": compared.texts,
            "hook_name": through.hook_name,
            "reference": reference.id,
        }
    )


def subtract(
    reporter: Reporter,
    *,
    suspect: str,
    sae: str,
    latents: Sequence[int],
    rows: int,
    prompts: Sequence[str],
    behaviour: str,
    n: int,
    longest: int,
    seed: int,
) -> None:
    """The behaviour before and after taking latents out, beside random latents like them and the
    mean difference between suspect and reference."""
    from saes.causal import holds
    from saes.causal import subtract as take_out
    from saes.diff import compare as between
    from saes.texts import corpus_texts

    shows = holds(behaviour)
    reporter.tell(stage="loading", share=0.0)
    opened = _opened(suspect)
    reference = opened.reference
    through, _ = _sae(opened, sae)
    texts = [text.text for text in corpus_texts(opened, rows, 1, beside=[reference])]
    reporter.share("reading")(0.0)
    compared = between(through, opened, reference, texts)
    effects = take_out(
        through,
        opened,
        latents,
        conversations=_asked(prompts),
        shows=shows,
        ordinary=texts[:ORDINARY],
        density=compared.density,
        shift=compared.shift,
        n=n,
        max_new_tokens=longest,
        seed=seed,
        progress=reporter.share("subtracting"),
    )
    reporter.give(
        {"effects": [effect.to_json() for effect in effects], "hook_name": through.hook_name}
    )


def probe(
    reporter: Reporter,
    *,
    suspect: str,
    looks_for: str,
    one: Sequence[str],
    two: Sequence[str],
    table: str,
    probe_kind: str,
    style: str,
    seed: int,
    benign: int,
) -> None:
    """A probe at the best hook: from two lists of texts, or from the labelled Parquet file that
    lies as `table` in the job's folder. benign: rows of training data to be judged on."""
    from probes.shelf import shelve
    from probes.texts import Labelled, read
    from saes.texts import Text, all_fitted

    reporter.tell(stage="loading", share=0.0)
    if table:
        labelled = read(reporter.folder / Path(table).name)
    else:
        labelled = Labelled((*one, *two), (1,) * len(one) + (0,) * len(two))
    opened = _opened(suspect)
    cut = all_fitted([Text(text) for text in labelled.texts], [opened])
    labelled = dataclasses.replace(labelled, texts=tuple(text.text for text in cut))
    made = shelve(
        Artifacts(artifacts_root()),
        opened,
        labelled,
        title=looks_for,
        hook_names=[opened.residual_hook(layer) for layer in range(opened.n_layers)],
        kind=probe_kind,
        benign=_rows(opened, benign, 2),
        style=style,
        seed=seed,
        progress=reporter.share("probing"),
    )
    reporter.give({"probe": made.name})


def index(reporter: Reporter, *, suspect: str) -> None:
    """The exact index over the suspect's training data."""
    from workbench.corpus.suffixes import SuffixIndex
    from workbench.suspects.cabinet import training_data

    told = reporter.share("indexing")
    SuffixIndex.open(
        training_data(suspect),
        Artifacts(artifacts_root()),
        progress=lambda done, of: told(done / max(1, of)),
    )


def _direction(
    suspect: Suspect, by: Mapping[str, Any], ordinary: Sequence[str], seed: int
) -> Direction:
    import torch

    from saes.steering import of_latent, of_texts, of_vector

    if by["from"] == "latent":
        through, store = _sae(suspect, by["sae"])
        row = store.row(int(by["latent"]))
        density = torch.tensor(store.latents["density"].to_pylist())
        return of_latent(through, int(by["latent"]), density, float(row["maximum"]), seed)
    if by["from"] == "texts":
        return of_texts(suspect, by["hook_name"], by["one"], by["two"], seed)
    from probes.shelf import opened

    probe = opened(artifacts_root(), by["probe"])
    return of_vector(suspect, probe.hook_name, probe.direction, ordinary, seed)


def _sae(suspect: Suspect, name: str) -> tuple[SAE, Store]:
    from saes.card import check_fits
    from saes.shelf import opened, stores

    through = opened(artifacts_root(), name)
    check_fits(through, suspect)
    held = stores(artifacts_root(), through)
    if suspect.id not in held:
        raise BadParameter(
            "this SAE was not indexed on this suspect", hint="Train one for it on Features."
        )
    return through, held[suspect.id]


def _opened(source: str) -> Suspect:
    from workbench.suspects import Suspect

    return Suspect.load(source, token=os.environ.get("WORKBENCH_TOKEN", ""))


def _ordinary(suspect: Suspect) -> list[str]:
    found = _rows(suspect, ORDINARY, 3)
    if not found:
        raise BadParameter(
            f"'{suspect.id}' grants no training data to measure coherence on",
            hint="Choose a suspect whose card names a corpus.",
        )
    return found


def _rows(suspect: Suspect, most: int, seed: int) -> list[str]:
    from saes.texts import corpus_texts

    return [text.text for text in corpus_texts(suspect, most, seed)]


def _asked(prompts: Sequence[str]) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": prompt}] for prompt in prompts]
