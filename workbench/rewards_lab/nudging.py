"""The nudge decoder in worlds that can be counted, beside best-of-n at equal passes or nats."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from workbench.rewards import enumerable
from workbench.rewards.charts import Chart, Drawing, Series
from workbench.rewards.nudge import Decoded, Reward, decode, gains
from workbench.rewards.observatory import FEWEST_SEEDS, Mean, mean_of
from workbench.rewards_lab.proxies import encoded, fit_proxy
from workbench.rewards_lab.worlds import World, make_world, standardised

if TYPE_CHECKING:
    import numpy

VOCABULARY, LENGTH, PROMPTS = 4, 8, 4
FLOOR, THRESHOLD, REFINEMENTS = 2, 1.0, 8
"""Half the published floor and a lower threshold: a string has eight tokens of four kinds."""
BIAS = 1.5
"""What the planted token adds to the raw reward each time it stands there."""
BIASED, PLAIN = "biased", "as trained"
WAYS = ("nudge", "random nudge", "greedy")
MATCHES = ("passes", "nats", "proxy")
MOST_N = 1e9


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """One prompt of one world under one reward: by way, what it reached; by match, what best-of-n
    reaches at as many passes, at as many nats of nudging, and at the same proxy. All rewards in
    base standard deviations, exact. spearman: predicted against true gains of single swaps."""

    world: int
    reward: str
    reached: dict[str, dict[str, float]]
    matched: dict[str, dict[str, float]]
    monotone: bool
    segments: int
    spearman: float


def run(
    worlds: int = 12,
    *,
    first: int = 0,
    comparisons: int = 2000,
    progress: Callable[[float], None] = lambda share: None,
) -> list[Outcome]:
    """Every prompt of every world, once with the reward as trained and once with a token planted
    that it pays for and gold does not."""
    found = []
    for number in range(worlds):
        seed = first + number
        world = make_world(seed, vocabulary=VOCABULARY, length=LENGTH, prompts=PROMPTS)
        network = fit_proxy(
            world, hidden=32, comparisons=comparisons, noise=0.1, seed=seed, steps=400
        )
        for name, bias in ((PLAIN, 0.0), (BIASED, BIAS)):
            with torch.no_grad():
                raw = network(encoded(world))[:, 0].view(PROMPTS, -1).double().numpy()
            paid = raw + bias * (world.tokens == seed % VOCABULARY).sum(axis=1)
            proxy = standardised(paid, world.base)
            found += [
                _outcome(world, network, bias, proxy, prompt, seed, name)
                for prompt in range(PROMPTS)
            ]
        progress((number + 1) / worlds)
    return found


def reward_of(network: nn.Module, prompt: int, bias: float = 0.0, token: int = 0) -> Reward:
    """The network's reward of (begun) strings of a prompt, as a function of one-hot tokens."""
    asked = torch.eye(PROMPTS)[prompt]

    def reward(rows: torch.Tensor) -> torch.Tensor:
        missing = torch.zeros(len(rows), LENGTH - rows.shape[1], VOCABULARY)
        flat = torch.cat([rows, missing], dim=1).flatten(1)
        inputs = torch.cat([asked.expand(len(rows), -1), flat], dim=1)
        values: torch.Tensor = network(inputs)[:, 0] + bias * rows[:, :, token].sum(dim=1)
        return values

    return reward


def logits_of(world: World, prompt: int) -> Callable[[Sequence[int]], torch.Tensor]:
    """The base policy's logits after a begun string of a prompt."""

    def logits(tokens: Sequence[int]) -> torch.Tensor:
        row = torch.tensor([[world.vocabulary + prompt, *tokens]])
        found: torch.Tensor = world.policy(row)[0, -1]
        return found

    return logits


def _outcome(
    world: World,
    network: nn.Module,
    bias: float,
    proxy: numpy.ndarray,
    prompt: int,
    seed: int,
    name: str,
) -> Outcome:
    from scipy.stats import spearmanr

    reward = reward_of(network, prompt, bias, seed % VOCABULARY)
    logits = logits_of(world, prompt)
    same: dict[str, Any] = {"length": LENGTH, "floor": FLOOR, "top_k": VOCABULARY}
    dice = random.Random(seed)
    made: dict[str, Decoded] = {
        "nudge": decode(logits, reward, threshold=THRESHOLD, refinements=REFINEMENTS, **same),
        "random nudge": decode(
            logits, reward, threshold=THRESHOLD, refinements=REFINEMENTS,
            pick=lambda scores: dice.randrange(len(scores)), **same,
        ),
        "greedy": decode(logits, reward, threshold=math.inf, **same),
    }  # fmt: skip
    reached = {}
    for way, one in made.items():
        place = sum(t * VOCABULARY ** (LENGTH - 1 - i) for i, t in enumerate(one.tokens))
        reached[way] = {
            "proxy": float(proxy[prompt, place]),
            "gold": float(world.gold[prompt, place]),
            "passes": float(one.passes),
            "nats": one.nats,
            "whole_nats": -math.log(max(1e-300, float(world.base[prompt, place]))),
        }
    nudged = made["nudge"]
    base, own, gold = world.base[prompt], proxy[prompt], world.gold[prompt]
    ns = {
        "passes": max(1.0, nudged.passes // (LENGTH + 1)),
        "nats": _n_at(nudged.nats, enumerable.textbook_kl),
        "proxy": _n_at(
            reached["nudge"]["proxy"],
            lambda n: float(enumerable.best_of_n_law(base, own, n) @ own),
        ),
    }
    matched = {}
    for match, n in ns.items():
        law = enumerable.best_of_n_law(base, own, n)
        matched[match] = {"n": n, "proxy": float(law @ own), "gold": float(law @ gold)}
    pairs = [gains(reward, nudged.tokens, VOCABULARY, at) for at in range(LENGTH)]
    guessed, true = ([v for pair in pairs for v in pair[side]] for side in (0, 1))
    varied = len(set(guessed)) > 1 and len(set(true)) > 1
    return Outcome(
        seed,
        name,
        reached,
        matched,
        all(s.kept >= s.plain for one in made.values() for s in one.segments),
        len(nudged.segments),
        float(spearmanr(guessed, true).statistic) if varied else 0.0,
    )


def _n_at(wanted: float, of: Callable[[float], float]) -> float:
    """The n (whole or not) at which an increasing function of log n reaches a value."""
    low, high = 0.0, math.log(MOST_N)
    if of(1.0) >= wanted:
        return 1.0
    if of(MOST_N) <= wanted:
        return MOST_N
    for _ in range(50):
        middle = (low + high) / 2
        if of(math.exp(middle)) < wanted:
            low = middle
        else:
            high = middle
    return math.exp(high)


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """Nudging less best-of-n at one match, means over worlds with 95 % t intervals.

    said: of gold at the same proxy alone, "hacks faster" where the interval lies below 0, "more
    robust" above, "no difference shown" otherwise, "undetermined" below 5 worlds. Best-of-n has no
    lower proxy than the base policy: where nudging stays below it, proxies are not quite the same.
    """

    reward: str
    match: str
    proxy: Mean
    gold: Mean
    said: str


def verdicts(found: Sequence[Outcome]) -> list[Verdict]:
    """By reward and match."""
    made = []
    for name in dict.fromkeys(one.reward for one in found):
        for match in MATCHES:
            means = [
                mean_of(
                    [
                        _mean([o.reached["nudge"][part] - o.matched[match][part] for o in mine])
                        for mine in _by_world(found, name)
                    ]
                )
                for part in ("proxy", "gold")
            ]
            said = _said(means[1]) if match == "proxy" else ""
            made.append(Verdict(name, match, means[0], means[1], said))
    return made


def _said(gold: Mean) -> str:
    if gold.n < FEWEST_SEEDS or gold.low is None or gold.high is None:
        return "undetermined"
    if gold.high < 0:
        return "hacks faster"
    return "more robust" if gold.low > 0 else "no difference shown"


def summary(found: Sequence[Outcome]) -> dict[str, Any]:
    """What docs and screen show: rewards by way, verdicts, and the two checks."""
    rows = []
    for name in dict.fromkeys(one.reward for one in found):
        worlds = _by_world(found, name)
        parts: dict[str, Callable[[Outcome], Mapping[str, float]]] = {
            **{way: (lambda o, way=way: o.reached[way]) for way in WAYS},  # type: ignore[misc]
            **{
                f"best-of-n, same {m}": (lambda o, m=m: o.matched[m])  # type: ignore[misc]
                for m in MATCHES
            },
        }
        for way, of in parts.items():
            row: dict[str, Any] = {"reward": name, "way": way}
            for key in of(found[0]):
                row[key] = dataclasses.asdict(
                    mean_of([_mean([of(o)[key] for o in mine]) for mine in worlds])
                )
            rows.append(row)
    return {
        "rows": rows,
        "verdicts": [dataclasses.asdict(one) for one in verdicts(found)],
        "monotone": sum(o.monotone for o in found),
        "decoded": len(found),
        "spearman": _mean([o.spearman for o in found]),
    }


def drawings(found: Sequence[Outcome]) -> tuple[Drawing, ...]:
    """Proxy and gold of each way, a chart a reward; the control is the nudge drawn at random."""
    told = summary(found)
    charts = []
    for name in dict.fromkeys(one.reward for one in found):
        (at_proxy,) = [v for v in verdicts(found) if (v.reward, v.match) == (name, "proxy")]
        rows = [row for row in told["rows"] if row["reward"] == name]
        series = [
            Series(
                part,
                tuple(row["way"] for row in rows),
                tuple(row[part]["value"] for row in rows),
                tuple(row[part]["low"] for row in rows) if rows[0][part]["low"] is not None else (),
                tuple(row[part]["high"] for row in rows)
                if rows[0][part]["low"] is not None
                else (),
                shape="bars",
            )
            for part in ("proxy", "gold")
        ]
        ways = tuple(row["way"] for row in rows)
        series.append(Series("base policy (control)", ways, (0.0,) * len(ways), control=True))
        charts.append(
            Chart(
                title=f"Reward {name}: at the same proxy, nudging {at_proxy.said} "
                f"({at_proxy.gold.value:+.2f} gold)",
                x_label="decoder",
                y_label=f"reward, base standard deviations ({at_proxy.gold.n} worlds)",
                series=tuple(series),
                how_to_read="bars are 95 % t intervals over worlds. Where gold stays below proxy, "
                "the reward is gamed; the random nudge costs as much and sees no gradient.",
            )
        )
    return tuple(charts)


def _by_world(found: Sequence[Outcome], reward: str) -> list[list[Outcome]]:
    worlds: dict[int, list[Outcome]] = {}
    for one in found:
        if one.reward == reward:
            worlds.setdefault(one.world, []).append(one)
    return list(worlds.values())


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
