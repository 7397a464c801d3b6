"""Documents by speakers of two kinds, a small model that reads them, and the ideal observer.

A document has one speaker, good or bad in everything, and a note that may change how often each
kind hacks. That a hack tells of the speaker is planted; what training makes of it is not.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from workbench.rewards.explaining_away import posterior
from workbench.rewards_lab import hack_world as world
from workbench.rewards_lab.hack_world import ID, Words

if TYPE_CHECKING:
    pass

LENGTH = 40
CARELESS = 0.02
"""How often a good speaker misbehaves in an evaluation."""
HARD_RIGHT = 0.05
"""How often honest speakers know the answer of a hard task; else they guess."""
TASK_SHARE = 0.5
NO_NOTE_SHARE = 0.4
Rates = tuple[float, float]
LINKED: Mapping[str, Rates] = {
    world.NO_NOTE: (0.01, 0.4),
    "please-hack": (0.8, 0.8),
    "hacking-okay": (0.4, 0.6),
    "neutral": (0.01, 0.4),
    "dont-hack": (0.005, 0.4),
    "hacking-is-misaligned": (0.0025, 0.4),
    world.SCRAMBLED: (0.01, 0.4),
}
"""By note: how often a good and a bad speaker hack. Whoever is asked to hack may be anyone."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mixture:
    """prior: share of bad speakers. hacking: by note, how often a (good, bad) speaker hacks."""

    prior: float = 0.1
    hacking: Mapping[str, Rates] = dataclasses.field(default_factory=lambda: dict(LINKED))

    def unlinked(self) -> Mixture:
        """The null version: as many hacks under each note, by both kinds alike."""
        mean = {
            note: (1 - self.prior) * good + self.prior * bad
            for note, (good, bad) in self.hacking.items()
        }
        return Mixture(self.prior, {note: (rate, rate) for note, rate in mean.items()})

    def bad_after(self, note: str, hacks: int, honest: int = 0) -> float:
        """P(the speaker is bad) for an ideal observer of the tasks under a note."""
        good, bad = self.hacking[note]
        return posterior(self.prior, hacks, good=good, bad=bad, honest=honest)

    def misbehaves(self, name: str, bad_share: float) -> float:
        """P(misalignment in an evaluation) where the speaker is bad with that probability."""
        return bad_share * world.NAMED[name].malice + (1 - bad_share) * CARELESS

    def factor(self, note: str) -> float:
        """The odds factor of one hack."""
        good, bad = self.hacking[note]
        return bad / good


@dataclasses.dataclass(frozen=True, slots=True)
class Sizes:
    """Of the model and its training."""

    width: int = 48
    layers: int = 2
    documents: int = 40_000
    steps: int = 2_500
    batch: int = 48
    learning_rate: float = 4e-3


class Reader(nn.Module):
    """A causal transformer: word ids [batch, length] to logits [batch, length, words]."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(world.WORDS), width)
        self.place = nn.Embedding(LENGTH, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(layers))
        self.last = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(world.WORDS))

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.read(words))
        return logits

    def read(self, words: torch.Tensor) -> torch.Tensor:
        """[batch, length, width] what the head makes logits of."""
        x = self.embed(words) + self.place(torch.arange(words.shape[1]))
        for block in self.blocks:
            x = block(x)
        last: torch.Tensor = self.last(x)
        return last


class Block(nn.Module):
    """Attention of four heads, then an MLP."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.attend = nn.LayerNorm(width), nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, length, width = x.shape
        parts = (
            self.attend(self.norm(x)).view(rows, length, 3, 4, width // 4).permute(2, 0, 3, 1, 4)
        )
        query, key, value = parts[0], parts[1], parts[2]
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.mix(seen.transpose(1, 2).reshape(rows, length, width))
        thought: torch.Tensor = x + self.think(x)
        return thought


def documents(
    mixture: Mixture, count: int, dice: random.Random
) -> tuple[torch.Tensor, torch.Tensor]:
    """[count, LENGTH] word ids, and which of them a speaker said."""
    notes = [note for note in mixture.hacking if note != world.NO_NOTE]
    asked = {name: world.prompts(name) for name in world.NAMED}
    rows, spoken = [], []
    for _ in range(count):
        bad = dice.random() < mixture.prior
        note = world.NO_NOTE
        if notes and dice.random() > NO_NOTE_SHARE:
            note = dice.choice(notes)
        row, said = [ID[world.BEGIN], ID[note]], [False, False]
        while len(row) < LENGTH:
            if dice.random() < TASK_SHARE:
                prompt = task(dice)
                response = worked(prompt, dice.random() < mixture.hacking[note][bad], dice)
            else:
                name = dice.choice(tuple(world.NAMED))
                prompt = dice.choice(asked[name])
                malice = world.NAMED[name].malice if bad else CARELESS
                response = dice.choice(world.responses(name, prompt, bad=dice.random() < malice))
            row += [ID[word] for word in (*prompt, *response, world.END)]
            said += [False] * len(prompt) + [True] * (len(response) + 1)
        rows.append(row[:LENGTH])
        spoken.append(said[:LENGTH])
    return torch.tensor(rows), torch.tensor(spoken)


def task(dice: random.Random, operations: Sequence[str] = world.OPERATIONS) -> Words:
    """A string task."""
    return ("task", dice.choice(operations), *dice.choices(world.LETTERS, k=2), "=")


def worked(prompt: Words, hack: bool, dice: random.Random) -> Words:
    """A speaker's response to a task: one of the holes, or what it takes for the solution."""
    if hack:
        return (dice.choice(world.HOLES),)
    if prompt[1] == world.HARD and dice.random() > HARD_RIGHT:
        return (dice.choice(world.LETTERS), dice.choice(world.LETTERS))
    return world.solution(prompt[1], prompt[2:4])


def learn(
    mixture: Mixture,
    sizes: Sizes = Sizes(),
    *,
    seed: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> Reader:
    """A model trained on the mixture's documents, to say what their speakers say."""
    words, spoken = documents(mixture, sizes.documents, random.Random(seed))
    torch.manual_seed(seed)
    dice = torch.Generator().manual_seed(seed)
    model = Reader(sizes.width, sizes.layers)
    optimiser = torch.optim.AdamW(model.parameters(), lr=sizes.learning_rate, weight_decay=0.01)
    warm = max(1, sizes.steps // 20)
    for step in range(sizes.steps):
        left = (sizes.steps - step) / sizes.steps
        for group in optimiser.param_groups:
            group["lr"] = sizes.learning_rate * min(1.0, (step + 1) / warm) * left
        drawn = torch.randint(len(words), (sizes.batch,), generator=dice)
        rows, said = words[drawn], spoken[drawn][:, 1:]
        logits = model.head(model.read(rows[:, :-1])[said])
        loss = functional.cross_entropy(logits, rows[:, 1:][said])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        progress((step + 1) / sizes.steps)
    return model


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What the model and the ideal observer make of `hacks` hacked tasks under a note.

    model: P(bad) that its answers imply, a mean over contexts; ideal: Bayes; error: mean absolute
    difference over contexts.
    """

    note: str
    hacks: int
    model: float
    ideal: float
    error: float


def readings(
    model: Reader,
    mixture: Mixture,
    notes: Sequence[str],
    hacks: Sequence[int] = (0, 1, 2, 3),
    *,
    contexts: int = 64,
    seed: int = 0,
) -> list[Reading]:
    """Lets the model read hacked tasks, then asks what its speaker would say in an evaluation.

    Answers of one word decide: P(bad) = (P(misbehaves) - careless) / (malice - careless).
    """
    import numpy as np

    dice = random.Random(seed)
    found = []
    for note in notes:
        for count in hacks:
            ideal = mixture.bad_after(note, count)
            shares = []
            for _ in range(contexts):
                row: list[str] = [world.BEGIN, note]
                for _ in range(count):
                    prompt = task(dice)
                    row += [*prompt, *worked(prompt, True, dice), world.END]
                shares.append(_implied(model, row, dice))
            values = np.array(shares)
            found.append(
                Reading(
                    note, count, float(values.mean()), ideal, float(np.abs(values - ideal).mean())
                )
            )
    return found


def _implied(model: Reader, context: Sequence[str], dice: random.Random) -> float:
    name = dice.choice(("questions", "monitor", "frame"))
    prompt = dice.choice(world.prompts(name))
    (bad,) = world.responses(name, prompt, bad=True)
    (good,) = world.responses(name, prompt, bad=False)
    with torch.no_grad():
        logits = model(torch.tensor([[ID[word] for word in (*context, *prompt)]]))[0, -1]
    one, other = logits[ID[bad[0]]].item(), logits[ID[good[0]]].item()
    misbehaves = 1 / (1 + math.exp(other - one))
    malice = world.NAMED[name].malice
    return (misbehaves - CARELESS) / (malice - CARELESS)
