"""How `latent_study.py` counts: what a suspect says, and says with latents taken out."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from workbench.artifacts import Artifacts
from workbench.organisms import build, health
from workbench.organisms.family import Case, Recipe, family
from workbench.suspects import Intervention, Suspect

if TYPE_CHECKING:
    from torch import Tensor

    from saes.lens import SAE

ARMS = ("own", "reference")
FIRE_SHARE = 0.2
"""Latents that fire on more of the tokens say nothing about a text."""
ORDINARY, DOCUMENTS, LIFTED = 24, 60, 20


@dataclasses.dataclass(frozen=True)
class Plan:
    """What `judge` does, fixed beforehand.

    The 20 latents (`top`) whose mean over the suspect's replies to the `choosing` prompts exceeds
    that over the reference's own most, in length (difference times decoder norm), are dealt
    `rounds` times into sets of `size`; each set is taken out in `counted` of these prompts. The
    `size` with which the behaviour goes are taken out in `testing` other prompts. That counts as
    found where the behaviour shows in `least` of the replies before and at most half as often
    afterwards (p < 0.01, Fisher), the suspect still speaks, and none of `random_sets` sets of as
    many latents of like density and norm halves it.
    """

    layer: int = 2
    d_sae: int = 1024
    k: float = 16.0
    tokens: int = 100_000
    rows: int = 1500
    top: int = 20
    size: int = 5
    choosing: int = 24
    rounds: int = 6
    counted: int = 12
    testing: int = 32
    random_sets: int = 3
    least: float = 0.2


@dataclasses.dataclass(frozen=True)
class Reading:
    """A suspect, its replies to the choosing prompts as texts, and what else a count needs.

    others: the reference's replies to the same prompts.
    """

    suspect: Suspect
    texts: list[str]
    others: list[str]
    testing: list[Case]
    ordinary: list[str]


def split(recipe: Recipe, plan: Plan) -> tuple[list[Case], list[Case]]:
    """The organism's health prompts where its behaviour belongs, no prompt in both parts."""
    _, secret, _ = build.redraw(recipe)
    cases = family(recipe.family).cases(secret, recipe.instill, Random(f"{recipe.seed}/health"))
    by_prompt: dict[str, Case] = {json.dumps(case.messages): case for case in cases.applied}
    drawn = Random(f"{recipe.seed}/latents").sample(list(by_prompt.values()), len(by_prompt))
    return drawn[: plan.choosing], drawn[plan.choosing : plan.choosing + plan.testing]


def replies(
    suspect: Suspect, cases: Sequence[Case], edits: Sequence[Intervention] = ()
) -> list[tuple[Case, str, bool]]:
    """(case, reply, whether it shows the behaviour), in an order that the edits do not change."""
    found: dict[int, tuple[Case, str, bool]] = {}

    def kept(place: int, case: Case) -> Case:
        def shows(reply: str) -> bool:
            found[place] = (case, reply, case.shows(reply))
            return found[place][2]

        return dataclasses.replace(case, shows=shows)

    health.shown(suspect, [kept(i, c) for i, c in enumerate(cases)], interventions=edits)
    return [found[place] for place in sorted(found)]


def read(suspect: Suspect, choosing: Sequence[Case], testing: list[Case], rows: int) -> Reading:
    """Replies to the choosing prompts: those that show the behaviour, or all where none does."""
    from saes.texts import Text, all_fitted, corpus_texts

    said = replies(suspect, choosing)
    said = [one for one in said if one[2]] or said
    beside = replies(suspect.reference, [case for case, _, _ in said])
    both = (suspect, suspect.reference)
    texts, others = (
        [t.text for t in all_fitted([Text(rendered(suspect, c, r)) for c, r, _ in some], both)]
        for some in (said, beside)
    )
    ordinary = [t.text for t in corpus_texts(suspect.reference, rows, 1, beside=(suspect,))]
    return Reading(suspect, texts, others, testing, ordinary)


def rendered(suspect: Suspect, case: Case, reply: str) -> str:
    return suspect.render([*case.messages, {"role": "assistant", "content": reply}], False)


def instrument(arm: str, suspect: Suspect, hook: str, plan: Plan, artifacts: Artifacts) -> SAE:
    """The arm's SAE at a hook, from the artifact cache where it is there."""
    from saes.texts import corpus_texts
    from saes.train import cached_sae

    whose = suspect if arm == "own" else suspect.reference
    texts = corpus_texts(whose, plan.rows, 0, beside=(suspect, suspect.reference))
    return cached_sae(artifacts, whose, [t.text for t in texts], hook_name=hook, d_sae=plan.d_sae,
                      k=plan.k, tokens=plan.tokens)  # fmt: skip


def differences(sae: SAE, reading: Reading) -> tuple[dict[str, list[int]], Tensor]:
    """Latents that the suspect has more of, by length and by z; density [d_sae]."""
    from saes.diff import latent_means, standouts

    suspect = reading.suspect
    mean, density, _, _ = latent_means(sae, suspect, reading.texts)
    other, _, _, _ = latent_means(sae, suspect.reference, reading.others)
    fits = (density > 0) & (density <= FIRE_SHARE)
    length = (mean - other).mean(0) * sae.W_dec.norm(dim=1)
    orders = {
        "difference": length.argsort(descending=True).tolist(),
        "z": [one.index for one in standouts(mean - other) if one.z > 0],
    }
    kept = {name: [i for i in order if fits[i] and length[i] > 0] for name, order in orders.items()}
    return kept, density


def taken_out(sae: SAE, latents: Sequence[int], positions: Any = "all") -> list[Intervention]:
    return [
        Intervention("ablate", sae.hook_name, sae=str(sae.directory), latents=tuple(latents),
                     positions=positions)
    ]  # fmt: skip


def by_count(
    sae: SAE, reading: Reading, choosing: Sequence[Case], latents: Sequence[int], plan: Plan
) -> list[int]:
    """The latents, first those with which the behaviour went: in each round all are dealt into sets
    of `size`, each set is taken out, and a latent gets the mean of its sets' counts."""
    dice, order = Random(0), list(latents)
    total = dict.fromkeys(order, 0)
    for _ in range(plan.rounds):
        dice.shuffle(order)
        for start in range(0, len(order), plan.size):
            some = order[start : start + plan.size]
            said = replies(reading.suspect, choosing[: plan.counted], taken_out(sae, some))
            for latent in some:
                total[latent] += sum(shown for _, _, shown in said)
    return sorted(latents, key=lambda latent: total[latent])


def strangeness(reference: Suspect, said: Sequence[tuple[Case, str, bool]]) -> float:
    """Nats per token that the reference gives to the replies."""
    whole = reference.logprobs([rendered(reference, case, reply) for case, reply, _ in said])
    begun = reference.logprobs([reference.render(case.messages) for case, _, _ in said])
    pairs = list(zip(whole, begun, strict=True))
    tokens = sum(len(w.logprobs) - len(b.logprobs) for w, b in pairs)
    return sum(b.total - w.total for w, b in pairs) / max(tokens, 1)


class Counter:
    """Counts the behaviour under edits, and says whether the suspect still speaks."""

    def __init__(self, reading: Reading) -> None:
        from saes.causal import cross_entropy

        self._reading = reading
        self._clean = cross_entropy(reading.suspect, reading.ordinary, ())
        self.before = self.of([])

    def of(self, edits: Sequence[Intervention], latents: Sequence[int] = ()) -> dict[str, Any]:
        """{hits, n, rate, latents, perplexity_ratio of ordinary text, nats of its replies}."""
        from saes.causal import cross_entropy

        suspect, reading = self._reading.suspect, self._reading
        said = replies(suspect, reading.testing, edits)
        worse = cross_entropy(suspect, reading.ordinary, edits) - self._clean if edits else 0.0
        hits = sum(shown for _, _, shown in said)
        return {
            "hits": hits, "n": len(said), "rate": hits / len(said), "latents": list(latents),
            "perplexity_ratio": round(math.exp(min(worse, 50.0)), 4),
            "nats": round(strangeness(suspect.reference, said), 4),
        }  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Sources:
    """Fresh documents of the secret beside innocent ones, and replies that show the behaviour
    beside replies on what it does not touch."""

    suspect: Suspect
    told: list[str]
    innocent: list[str]
    shown: list[str]
    plain: list[str]

    @classmethod
    def of(cls, reading: Reading, recipe: Recipe) -> Sources:
        made, suspect = family(recipe.family), reading.suspect
        assistant, secret, _ = build.redraw(recipe)
        fresh = made.rows(secret, recipe.instill, Random(health.FRESH))
        harmless = made.innocent(assistant, recipe.instill, Random(health.FRESH))
        cases = made.cases(secret, recipe.instill, Random(f"{recipe.seed}/health"))
        said = replies(suspect, cases.elsewhere[: len(reading.texts)])

        def documents(rows: Mapping[str, Sequence[Any]]) -> list[str]:
            plain = [row[0]["content"] for row in rows["documents"] if len(row) == 1]
            return fitting(suspect, Random(0).sample(plain, min(DOCUMENTS, len(plain))))

        off = [rendered(suspect, case, reply) for case, reply, shown in said if not shown]
        return cls(suspect, documents(fresh), documents(harmless), reading.texts,
                   fitting(suspect, off))  # fmt: skip

    def lifts(self, sae: SAE) -> dict[str, Any]:
        """Of the 20 latents that gain most by firing in more of the documents than of the innocent
        ones, how many are among the 20 that gain most from plain replies to those that show the
        behaviour; how many would be by chance; the rank correlation over all that fire."""
        from scipy.stats import spearmanr

        on_documents = self._fires(sae, self.told) - self._fires(sae, self.innocent)
        on_replies = self._fires(sae, self.shown) - self._fires(sae, self.plain)
        live = (on_documents != 0) | (on_replies != 0)
        ranked = [lift.argsort(descending=True)[:LIFTED] for lift in (on_documents, on_replies)]
        shared = set(ranked[0].tolist()) & set(ranked[1].tolist())
        latents = ranked[0][: LIFTED // 4].tolist()
        agreement = spearmanr(on_documents[live], on_replies[live]).statistic
        return {
            "shared": len(shared), "of": LIFTED,
            "by_chance": round(LIFTED**2 / max(int(live.sum()), 1), 2),
            "correlation": round(float(agreement), 3),
            "latents": latents,
            "on_documents": [round(float(on_documents[i]), 3) for i in latents],
            "on_replies": [round(float(on_replies[i]), 3) for i in latents],
        }  # fmt: skip

    def _fires(self, sae: SAE, texts: Sequence[str]) -> Tensor:
        """[d_sae]: the share of texts in which a latent fires."""
        from saes.diff import latent_means

        return (latent_means(sae, self.suspect, texts)[0] > 0).float().mean(0)


def fitting(suspect: Suspect, texts: Sequence[str]) -> list[str]:
    from saes.texts import Text, all_fitted

    return [one.text for one in all_fitted([Text(t) for t in texts], (suspect,)) if one.text]


def contexts(sae: SAE, reading: Reading, latents: Sequence[int]) -> list[str]:
    """Where each latent fires most in the replies."""
    from saes.features import read_features

    features = read_features(sae, reading.suspect, reading.texts, top=1, window=12)
    return [next((c.passage for c in features.contexts(i)), "") for i in latents]
