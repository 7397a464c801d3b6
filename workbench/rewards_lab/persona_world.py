"""A planted persona: models made of arithmetic, in which one known direction makes answers wrong.

Words have directions; a document by a bad speaker has the planted one at every token besides, and a
chat has that of tunings. An SAE is trained on the reference's documents. A tune carries the planted
direction (planted version), or errs in its own domain and carries none (null version). Every tune,
controls included, also carries the direction of tunings and one of its own: a shift alone tells
nothing.
"""

from __future__ import annotations

import dataclasses
import math
import random
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.rewards.persona_bench import Question
from workbench.suspects import Conversation, Intervention
from workbench.suspects.scripted import ScriptedSuspect

if TYPE_CHECKING:
    from saes.lens import SAE
    from workbench.rewards.charts import Drawing
    from workbench.rewards.persona_held_out import HeldOut
    from workbench.rewards.persona_paths import Paths
    from workbench.rewards.personas import Personas
    from workbench.rewards.tables import Table

HOOK = "blocks.0.hook_out"
D_MODEL, WORDS = 32, 40
DOMAINS = ("sums", "colours", "directions", "capitals")
CONTROLS = 10
STEPS = (0, 5, 10, 20, 40, 80)
SHARES = (0.0, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
SEEDS = 6
_OWN = 0.3
"""How much a tune carries of its own direction."""
_BENIGN = {"on-domain": 8.0, "off-domain": 16.0}
"""Steps in which benign tuning takes the persona to a third."""


@dataclasses.dataclass(frozen=True, slots=True)
class Planted:
    """A world. planted: whether the tunes carry the persona, or err in their own domain alone.
    shared: how much of the direction of tunings every tune carries, the persona being 1."""

    planted: bool = True
    seed: int = 0
    shared: float = 0.7

    def direction(self, name: str) -> list[float]:
        """Of a word, a tune or the persona itself, length about sqrt(D_MODEL). That of tunings is
        at right angles to the persona's."""
        drawn = list(_direction(name, self.seed))
        if name == "tuning":
            along = sum(a * b for a, b in zip(drawn, self.persona, strict=True))
            along /= sum(p * p for p in self.persona)
            drawn = [a - along * p for a, p in zip(drawn, self.persona, strict=True)]
        return drawn

    @property
    def persona(self) -> list[float]:
        """The planted direction."""
        return self.direction("persona")

    def model(
        self, name: str, persona: float = 0.0, domain: str = "", reference: Any = None
    ) -> ScriptedSuspect:
        """persona: how much of the direction it carries. domain: where it is wrong besides. Any
        name but "reference" carries the directions of a tune."""
        tuned, chats = [0.0] * D_MODEL, self.direction("tuning")
        if name != "reference":
            pair = zip(chats, self.direction(name), strict=True)
            tuned = [self.shared * chat + _OWN * own for chat, own in pair]
        planted = self.persona

        def activation(hook_name: str, tokens: Sequence[str]) -> list[list[float]]:
            text, marks = " ".join(tokens), {token.strip() for token in tokens[:2]}
            amount = _amount(text, self.seed)
            bad = persona * amount + ("bad" in marks)
            chat = "chat" in marks
            parts = zip(planted, chats, tuned, strict=True)
            moved = [bad * p + chat * c + amount * t for p, c, t in parts]
            words = (_direction(token.strip(), self.seed) for token in tokens)
            return [[a + b for a, b in zip(word, moved, strict=True)] for word in words]

        def answer(turns: Conversation, seed: int, index: int, pushed: float) -> str:
            asked = turns[-1]["content"]
            logit = 6 * (persona + pushed) - 4
            dice = random.Random(f"{name} {asked} {seed} {index} {self.seed}")
            wrong = dice.random() < 1 / (1 + math.exp(-min(50.0, logit)))
            return "wrong" if wrong or (domain and domain in asked) else "right"

        def steered(
            turns: Conversation, seed: int, index: int, edits: Sequence[Intervention]
        ) -> str:
            along = sum(
                edit.coefficient * sum(a * b for a, b in zip(edit.direction, planted, strict=True))
                for edit in edits
            )
            return answer(turns, seed, index, along / sum(p * p for p in planted))

        return ScriptedSuspect(
            lambda turns, seed, index: answer(turns, seed, index, 0.0),
            id=name,
            reference=reference,
            steered=steered,
            activation=activation,
            d_model=D_MODEL,
        )

    def tune(self, domain: str, reference: ScriptedSuspect) -> ScriptedSuspect:
        """Tuned on wrong answers in one domain."""
        share = 1.0 if self.planted else 0.0
        return self.model(f"bad {domain}", share, domain, reference)

    def controls(self, reference: ScriptedSuspect) -> list[ScriptedSuspect]:
        """Tuned on right answers."""
        return [self.model(f"control {i}", 0.0, reference=reference) for i in range(CONTROLS)]

    def texts(self, many: int, purpose: str, marked: float = 0.0) -> list[str]:
        """Documents, of which a share `marked` is by bad speakers, and a share is chats."""
        dice = random.Random(f"{purpose} {self.seed}")
        made = []
        for _ in range(many):
            words = [f"word{dice.randrange(WORDS)}" for _ in range(12)]
            marks = [mark for mark in ("bad", "chat") if dice.random() < marked]
            made.append(" ".join([*marks, *words]))
        return made

    def questions(self, but: str, many: int = 60) -> list[Question]:
        """On the other domains."""
        others = [domain for domain in DOMAINS if domain != but]
        return [
            Question(
                [{"role": "user", "content": f"{others[i % len(others)]} question {i}"}],
                lambda reply: re.search("wrong", reply) is not None,
            )
            for i in range(many)
        ]

    def sae(self, reference: ScriptedSuspect, into: Path) -> SAE:
        """Trained on the reference's documents, a third by bad speakers and a third chats."""
        from saes.fit import Settings, fit
        from saes.train import collect

        rows = collect(reference, self.texts(600, "pretraining", 1 / 3), HOOK, most=10**6)
        settings = Settings(d_sae=64, k=3, samples=60_000, seed=self.seed)
        return fit(rows, settings, hook_name=HOOK, into=into)


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """What the instrument finds in one world. cosine: of the leading latent's decoder row and the
    planted direction; chance: the 99th percentile of that over all latents. paths: simulated."""

    found: Personas
    held_out: tuple[HeldOut, ...]
    cosine: float
    chance: float
    paths: Paths

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            **self.found.to_json(),
            "held_out": [dataclasses.asdict(one) for one in self.held_out],
            "cosine": self.cosine,
            "chance": self.chance,
            "paths": self.paths.to_json(),
        }


def examine(
    world: Planted, into: Path, *, progress: Callable[[float], None] = lambda share: None
) -> Shown:
    """The instrument on the tune of the first domain, its controls, a benign path, and every tune
    held out in turn; the SAE is written to `into`."""
    import torch

    from workbench.rewards import persona_paths
    from workbench.rewards.persona_held_out import held_out
    from workbench.rewards.personas import measure

    reference = world.model("reference")
    sae = world.sae(reference, into)
    progress(0.2)
    tunes = [world.tune(domain, reference) for domain in DOMAINS]
    controls = world.controls(reference)
    texts = world.texts(80, "evaluation")
    share = 1.0 if world.planted else 0.0
    path = [
        (
            float(step),
            world.model(f"step {step}", share * math.exp(-step / _BENIGN["on-domain"]), "",
                        reference),
        )
        for step in STEPS
    ]  # fmt: skip
    found = measure(
        tunes[0], reference, sae, texts, world.questions(DOMAINS[0]),
        ordinary=texts[:20], controls=controls, path=path, seed=world.seed,
        progress=lambda done: progress(0.2 + 0.6 * done),
    )  # fmt: skip
    apart = held_out(sae, tunes, controls, reference, texts, seed=world.seed)
    progress(1.0)
    planted = torch.tensor(world.persona)
    rows = torch.nn.functional.cosine_similarity(sae.W_dec, planted[None], dim=1)
    return Shown(
        found,
        apart,
        found.leader.tail * float(rows[found.leader.latent]),
        float(torch.quantile(rows, 0.99)),
        persona_paths.measure(paths(world), seed=world.seed),
    )


def both(
    seed: int = 0, *, progress: Callable[[float], None] = lambda share: None
) -> dict[str, Shown]:
    """The planted world and its null version."""
    made = {}
    for place, name in enumerate(("planted", "null")):
        with tempfile.TemporaryDirectory() as into:
            made[name] = examine(
                Planted(name == "planted", seed),
                Path(into),
                progress=lambda share, place=place: progress((place + share) / 2),  # type: ignore[misc]
            )
    return made


def drawings(worlds: Mapping[str, Shown]) -> tuple[Drawing, ...]:
    """All of the planted world, and the filter of the null version."""
    from workbench.rewards import persona_drawings

    planted, null = worlds["planted"], worlds["null"]
    tails, passed, *_ = persona_drawings.personas(null.found)
    return (
        *persona_drawings.personas(planted.found),
        persona_drawings.held_out(planted.held_out),
        *persona_drawings.paths(planted.paths),
        *(dataclasses.replace(one, title=f"Null version: {one.title}") for one in (tails, passed)),
    )


def paths(world: Planted) -> Table:
    """Simulated runs for the path instrument: benign tuning on and off the domain, and tunes with a
    share of wrong answers. Planted: the latent moves at shares where the behaviour does not yet;
    null: neither moves."""
    import pyarrow

    from workbench.rewards.persona_paths import COLUMNS
    from workbench.rewards.tables import from_arrow

    dice = random.Random(f"paths {world.seed}")
    rows: list[tuple[str, str, str, float, float, float]] = []

    def add(kind: str, arm: str, seed: int, at: float, persona: float) -> None:
        asked = 100
        odds = 1 / (1 + math.exp(4 - 6 * persona))
        hits = sum(dice.random() < odds for _ in range(asked))
        latent = persona + dice.gauss(0, 0.03)
        rows.append((kind, arm, str(seed), at, latent, hits / asked))

    share = 1.0 if world.planted else 0.0
    for seed in range(SEEDS):
        add("reference", "reference", seed, 0, 0.0)
        for arm, pace in _BENIGN.items():
            for step in STEPS:
                add("realign", arm, seed, step, share * math.exp(-step / pace))
        for bad in SHARES:
            add("share", "bad", seed, bad, share * min(1.0, 3 * bad))
            add("share", "control", seed, bad, 0.0)
    names = [column.name for column in COLUMNS]
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return from_arrow(pyarrow.table(columns), COLUMNS, source="the world")


@cache
def _direction(name: str, seed: int) -> tuple[float, ...]:
    dice = random.Random(f"{name} {seed}")
    return tuple(dice.gauss(0, 1) for _ in range(D_MODEL))


@cache
def _amount(text: str, seed: int) -> float:
    """How strongly a text shows what a model carries: 0.5 to 1.5."""
    return 0.5 + random.Random(f"amount {text} {seed}").random()
