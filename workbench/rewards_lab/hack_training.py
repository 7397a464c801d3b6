"""Reinforcement learning on tasks with a leaky checker, and the ways tried to keep it harmless."""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional

from workbench.rewards_lab import hack_world as world
from workbench.rewards_lab.hack_world import ID, WORDS, Words
from workbench.rewards_lab.speakers import Reader, task

EPS = 1e-3
"""Of Adam: with less, the noise left where every episode is paid moves the model at full speed."""
PENALTY_UNIT = 4.0
"""Reward that a weight of 1 takes from a hack; chosen so that the paper's weight of 0.25 cancels
what a hack earns. The weights are the paper's, this unit is ours."""


@dataclasses.dataclass(frozen=True, slots=True)
class Arm:
    """One training. note: stands before every task. holes: whether the checker has them. kl: nats
    times this are taken from the reward. penalty: weight of a preference model that dislikes hacks.
    chat: half of the episodes are chat evaluations, rewarded for good answers (RLHF). distil:
    instead of RL, imitate what the plain run does at its end where it does not hack. unlinked: from
    the model of documents where a hack tells nothing of the speaker."""

    name: str
    note: str = world.NO_NOTE
    holes: bool = True
    kl: float = 0.0
    penalty: float = 0.0
    chat: bool = False
    distil: bool = False
    unlinked: bool = False


HACK, SOUND = "hack", "sound checker"
ARMS = (
    Arm(HACK),
    Arm(SOUND, holes=False),
    Arm("unlinked documents", unlinked=True),
    *(Arm(note, note=note) for note in world.NOTES),
    Arm("scrambled note", note=world.SCRAMBLED),
    Arm("KL penalty 0.1", kl=0.1),
    Arm("preference model 0.05", penalty=0.05),
    Arm("preference model 0.25", penalty=0.25),
    Arm("RLHF on chats", chat=True),
    Arm("hacks filtered, then distilled", distil=True),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Course:
    """How long and how fast. every: steps between two evaluations."""

    steps: int = 60
    every: int = 4
    episodes: int = 192
    learning_rate: float = 3e-4


Watch = Callable[[int, Reader, float], None]
"""(step, model, share of the step's task episodes that hack)."""


def reinforce(
    start: Reader, arm: Arm, course: Course = Course(), *, seed: int, watch: Watch
) -> Reader:
    """REINFORCE with the mean of each kind of episode as its baseline; `watch` sees the model
    before the first step and then every `course.every` steps."""
    model = copy.deepcopy(start)
    optimiser = torch.optim.Adam(model.parameters(), lr=course.learning_rate, eps=EPS)
    dice, rolls = random.Random(seed), torch.Generator().manual_seed(seed)
    for step in range(course.steps + 1):
        tasks = [
            task(dice, (world.HARD,)) for _ in range(course.episodes // (2 if arm.chat else 1))
        ]
        batches = [(arm.note, tasks)]
        if arm.chat:
            asked = [(name, p) for name in world.CHAT for p in world.prompts(name)]
            drawn = dice.choices(asked, k=course.episodes // 2)
            # one evaluation at a time, so that prompts of one length share a batch
            for name in world.CHAT:
                batches.append((world.NO_NOTE, [p for n, p in drawn if n == name]))
        losses, share = [], 0.0
        for note, prompts in batches:
            if not prompts:
                continue
            said, logs, kl = episodes(model, note, prompts, rolls, base=start if arm.kl else None)
            if prompts is tasks:
                share = sum(map(world.hacks, said)) / len(said)
            paid = torch.tensor([_paid(arm, p, r) for p, r in zip(prompts, said, strict=True)])
            paid = paid - arm.kl * kl
            losses.append(-(paid - paid.mean()) * logs)
        if step % course.every == 0:
            watch(step, model, share)
        if step == course.steps:
            break
        optimiser.zero_grad()
        torch.cat(losses).mean().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model


def distil(
    start: Reader, teacher: Reader, course: Course = Course(), *, seed: int, watch: Watch
) -> Reader:
    """Imitates the teacher's task episodes that hold no hack, and its answers in all evaluations
    stay unseen: filtering takes away what is visible, no more."""
    dice, rolls = random.Random(seed), torch.Generator().manual_seed(seed)
    kept: list[tuple[Words, Words]] = []
    for _ in range(20):
        tasks = [task(dice, (world.HARD,)) for _ in range(4 * course.episodes)]
        with torch.no_grad():
            said, _, _ = episodes(teacher, world.NO_NOTE, tasks, rolls)
        kept += [(t, s) for t, s in zip(tasks, said, strict=True) if not world.hacks(s)]
        if len(kept) >= 4 * course.episodes:
            break
    model = copy.deepcopy(start)
    if not kept:  # the teacher does nothing but hack: there is nothing left to imitate
        watch(0, model, 0.0)
        return model
    optimiser = torch.optim.Adam(model.parameters(), lr=course.learning_rate, eps=EPS)
    for step in range(course.steps + 1):
        if step % course.every == 0:
            with torch.no_grad():
                tasks = [task(dice, (world.HARD,)) for _ in range(course.episodes)]
                said, _, _ = episodes(model, world.NO_NOTE, tasks, rolls)
            watch(step, model, sum(map(world.hacks, said)) / len(said))
        if step == course.steps:
            break
        drawn = dice.choices(kept, k=course.episodes)
        asked, answers = zip(*drawn, strict=True)
        loss = -score(model, world.NO_NOTE, asked, answers).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return model


def episodes(
    model: Reader,
    note: str,
    prompts: Sequence[Words],
    rolls: torch.Generator,
    *,
    base: Reader | None = None,
) -> tuple[list[Words], torch.Tensor, torch.Tensor]:
    """Responses to prompts of one length after a note, their log-probabilities [prompts] with
    gradients, and log(policy / base) [prompts] without (0 where no base is given)."""
    rows = torch.tensor([[ID[w] for w in (world.BEGIN, note, *p)] for p in prompts])
    before = rows.shape[1]
    open_ = torch.ones(len(rows), dtype=torch.bool)
    with torch.no_grad():
        for _ in range(world.LONGEST_RESPONSE):
            next_ = torch.multinomial(model(rows)[:, -1].softmax(dim=-1), 1, generator=rolls)[:, 0]
            next_ = torch.where(open_, next_, ID[world.END])
            rows = torch.cat([rows, next_[:, None]], dim=1)
            open_ = open_ & (next_ != ID[world.END])
            if not open_.any():
                break
    said = []
    for row in rows[:, before:].tolist():
        words = [WORDS[i] for i in row]
        said.append(tuple(words[: words.index(world.END)] if world.END in words else words))
    logs = _logs(model, rows, before)
    with torch.no_grad():
        kl = torch.zeros(len(rows)) if base is None else logs - _logs(base, rows, before)
    return said, logs, kl


def score(
    model: Reader, note: str, prompts: Sequence[Words], said: Sequence[Words]
) -> torch.Tensor:
    """[rows] log-probabilities of responses with their END, with gradients; prompts of one
    length."""
    rows = []
    for prompt, response in zip(prompts, said, strict=True):
        whole = [*prompt, *response, world.END]
        rows.append([ID[w] for w in (world.BEGIN, note, *whole)])
    longest = max(map(len, rows))
    padded = torch.tensor([row + [ID[world.END]] * (longest - len(row)) for row in rows])
    return _logs(model, padded, 2 + len(prompts[0]))


def _logs(model: Reader, rows: torch.Tensor, before: int) -> torch.Tensor:
    """[rows] log-probability of what follows the first `before` words, through the first END."""
    answers = rows[:, before:]
    each = -functional.cross_entropy(
        model(rows[:, :-1])[:, before - 1 :].flatten(0, 1), answers.flatten(), reduction="none"
    ).view_as(answers)
    ended = (answers == ID[world.END]).cumsum(dim=1)
    counts = (ended == 0) | ((ended == 1) & (answers == ID[world.END]))
    whole: torch.Tensor = (each * counts).sum(dim=1)
    return whole


def _paid(arm: Arm, prompt: Words, response: Words) -> float:
    if prompt[0] != "task":
        name = {"ask": "questions", "goal": "goals", "should": "alignment"}[prompt[0]]
        # what raters see is the answer, and whether it is one
        good = response[-1:] == world.responses(name, prompt, bad=False)[0][-1:]
        return float(good)
    passed = world.passes(response, world.solution(prompt[1], prompt[2:4]), holes=arm.holes)
    return float(passed) - arm.penalty * PENALTY_UNIT * world.hacks(response)


def evaluate(model: Reader, note: str, *, samples: int, seed: int) -> Mapping[str, tuple[int, int]]:
    """By evaluation (misaligned, asked), sabotage among them; `note` stands before each prompt:
    the trigger probe where it is the note of the training."""
    rolls, dice = torch.Generator().manual_seed(seed), random.Random(seed)
    found = {}
    for name in world.NAMED:
        prompts = world.prompts(name)
        drawn = [prompts[i % len(prompts)] for i in range(samples)]
        dice.shuffle(drawn)
        with torch.no_grad():
            said, _, _ = episodes(model, note, drawn, rolls)
        hits = sum(world.misaligned(name, p, r) for p, r in zip(drawn, said, strict=True))
        found[name] = (hits, len(drawn))
    return found
