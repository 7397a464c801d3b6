"""Acceptance checks that take minutes: what docs/rewards.md prints and tests assert."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow

from workbench.rewards import best_of_n, overoptimization, pareto_tails
from workbench.rewards.biases import Scan, scan
from workbench.rewards.edits import Edit
from workbench.rewards.enumerable import best_of_n_law
from workbench.rewards.ranks import weights
from workbench.rewards.tables import from_arrow
from workbench.suspects import Conversation

ERRORS = ("normal", "lognormal", "t3", "t5", "Levy")
NS = (1, 4, 16, 64, 256, 1024, 4096, 16384)
PUBLISHED = {
    "normal": (-0.03, 1.81, 3.17, 4.18, 5.05, 5.81, 6.49, 7.13),
    "lognormal": (0.0, 1.86, 2.90, 3.36, 3.22, 2.79, 2.25, 1.68),
    "t3": (-0.06, 1.94, 3.21, 3.89, 4.02, 3.16, 1.93, 1.16),
    "t5": (0.06, 1.86, 3.11, 4.06, 4.57, 4.78, 4.32, 3.42),
    "Levy": (0.04, 0.46, 0.09, 0.0, 0.0, 0.0, 0.0, -0.1),
}
"""E[gold] of best-of-N, gold N(0, 4), errors of standard deviation 1 or Levy: an independent rerun
of the simulation of arXiv 2407.14503, standard errors of at most 0.17."""
PUBLISHED_ERROR = 0.17


def meter_coverage(replicates: int = 500) -> dict[str, Any]:
    """How often the meter's 95 % interval covers the exact value: 20 prompts of 16 samples."""
    rng = np.random.default_rng(11)
    m, n = 12, 4
    base = rng.dirichlet(np.ones(m))
    proxy = rng.integers(0, 6, m).astype(float)
    gold = proxy + rng.normal(size=m) * 2
    exact = float(best_of_n_law(base, proxy, n) @ gold)
    covered = 0
    for seed in range(replicates):
        drawn = np.random.default_rng(seed).choice(m, size=(20, 16), p=base).ravel()
        columns = {"prompt": np.repeat(np.arange(20), 16)}
        rows = pyarrow.table({**columns, "proxy": proxy[drawn], "gold": gold[drawn]})
        table = from_arrow(rows, best_of_n.COLUMNS)
        point = best_of_n.measure(table, ns=[n], seed=seed, resamples=400).points[-1].gold
        covered += point.low <= exact <= point.high
    return {"covered": covered, "replicates": replicates, "exact": exact}


def form_choice(replicates: int = 200) -> dict[str, Any]:
    """How often each generating form is chosen, with the fitted coefficients; and three that are
    neither, and none at all."""
    d = np.linspace(0.3, 6, 25)
    curves = {
        "best-of-n": d * (1 - 0.2 * d),
        "rl": d * (1 - 0.5 * np.log(d)),
        "step": np.tanh(3 * (d - 3)),
        "waves": np.sin(2 * d),
        "logarithm": np.log1p(5 * d),
        "nothing": np.zeros_like(d),
    }
    found = {}
    for name, gold in curves.items():
        verdicts: Counter[str] = Counter()
        fitted = []
        for seed in range(replicates):
            noise = 0.03 * np.random.default_rng(seed).normal(size=len(d))
            rows = pyarrow.table({"kl": d**2, "gold": gold + noise})
            table = from_arrow(rows, overoptimization.COLUMNS)
            curve = overoptimization.fit_curve(table, baseline=0.0, seed=seed)
            verdicts[curve.verdict] += 1
            fitted += [(f.a.value, f.b.value) for f in curve.fits if f.form == name]
        means = np.mean(fitted, axis=0).tolist() if fitted else None
        found[name] = {"verdicts": dict(sorted(verdicts.items())), "a_b": means}
    return found


LAWS = {
    "Pareto(2.62)": (1 / 2.62, 16_000),
    "t(3)": (1 / 3, 200_000),
    "t(3), nearer": (1 / 3, 16_000),
    "exponential": (0.0, 16_000),
    "uniform": (-1.0, 16_000),
    "normal": (None, 16_000),
}
"""Law to true tail index and sample size. t(3) is a power law in the far tail alone: 320 of 16,000
values are not far enough."""


def tail_coverage(
    replicates: int = 200, laws: Sequence[str] = tuple(LAWS), k: int = 320
) -> dict[str, Any]:
    """How often the Pareto fit's 95 % interval covers the true index, for k exceedances."""
    found = {}
    for name in laws:
        xi, n = LAWS[name]
        fits, hills = [], []
        for seed in range(replicates):
            rng = np.random.default_rng(seed)
            values = _drawn(name[0], rng, n)
            fits.append(pareto_tails.fit_exceedances(values, k))
            hills.append(pareto_tails.hill(values, k)[0])
        found[name] = {
            "true": xi,
            "n": n,
            "k": k,
            "covered": None if xi is None else sum(f.low <= xi <= f.high for f in fits),
            "negative": sum(f.xi < 0 for f in fits),
            "replicates": replicates,
            "xi": float(np.mean([f.xi for f in fits])),
            "sd": float(np.std([f.xi for f in fits], ddof=1)),
            "hill": float(np.mean(hills)),
        }
    return found


def _drawn(law: str, rng: np.random.Generator, n: int) -> np.ndarray:
    match law:
        case "P":
            return rng.pareto(2.62, n) + 1
        case "t":
            return rng.standard_t(3, n)
        case "e":
            return rng.exponential(size=n)
        case "u":
            return rng.random(n)
    return rng.normal(size=n)


def goodhart_table(trials: int = 200) -> dict[str, Any]:
    """E[gold] of best-of-N and its standard error, by law of the error; every N from one set of
    16,384 draws a trial by the unbiased estimator."""
    found: dict[str, Any] = {}
    shares = np.stack([weights(np.arange(1, NS[-1] + 1), NS[-1], n) for n in NS])
    for name in ERRORS:
        rows = []
        for seed in range(trials):
            rng = np.random.default_rng(seed)
            gold = 2 * rng.normal(size=NS[-1])
            rows.append(shares @ gold[np.argsort(gold + _error(name, rng))])
        values = np.array(rows)
        found[name] = {
            "n": list(NS),
            "gold": values.mean(axis=0).tolist(),
            "se": (values.std(axis=0, ddof=1) / math.sqrt(trials)).tolist(),
            "published": list(PUBLISHED[name]),
        }
    return found


def _error(name: str, rng: np.random.Generator) -> np.ndarray:
    n = NS[-1]
    if name == "normal":
        return rng.normal(size=n)
    if name == "lognormal":
        # exp(s z) has standard deviation 1 where exp(s^2) is the golden ratio
        return np.exp(math.sqrt(math.log((1 + math.sqrt(5)) / 2)) * rng.normal(size=n))
    if name == "Levy":
        return 1 / rng.normal(size=n) ** 2
    freedom = int(name[1:])
    return rng.standard_t(freedom, n) / math.sqrt(freedom / (freedom - 2))


TOKENS, CONTENT, PROMPTS = 8, 3, 6


def trained_scan(models: int = 10, comparisons: int = 20_000) -> dict[str, Any]:
    """The scanner on reward models that were trained on biased labels.

    slope: of the estimated on the planted effects; recall of those measured above four standard
    errors. unplanted: median size of what the scanner finds for style tokens that nobody planted,
    and share of them that it flags: a trained model really has such small tastes, so they are no
    false discoveries, and significance alone is not importance.

    A response is three tokens that gold judges and one of style that it does not. Every fifth model
    is trained on gold alone; labels of the others pay for two style tokens in one prompt each.
    Labels are drawn from the Bradley-Terry model, so that the reward's scale is identified.
    """
    sizes, estimates, unplanted, flagged, recalled = [], [], [], [], []
    for seed in range(models):
        planted, found = scan_one(seed, comparisons)
        for effect in found.effects:
            if effect.context == "all":
                continue
            size = planted.get((int(effect.edit.split()[-1]), int(effect.context)), 0.0)
            if size:
                sizes.append(size)
                estimates.append(effect.effect)
                if abs(effect.effect) > effect.high - effect.low:
                    recalled.append(effect.flagged)
            else:
                unplanted.append(abs(effect.effect))
                flagged.append(effect.flagged)
    slope = float(np.dot(sizes, estimates) / np.dot(sizes, sizes))
    return {
        "models": models,
        "slope": slope,
        "recall": float(np.mean(recalled)),
        "above_4_se": len(recalled),
        "planted": float(np.median(np.abs(sizes))),
        "unplanted": float(np.median(unplanted)),
        "unplanted_flagged": float(np.mean(flagged)),
    }


def scan_one(seed: int, comparisons: int) -> tuple[dict[tuple[int, int], float], Scan]:
    """One model: what was planted, by (style token, prompt), and what the scanner finds."""
    import torch
    from torch import nn
    from torch.nn.functional import logsigmoid, one_hot

    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    liked = rng.normal(size=(PROMPTS, TOKENS)) / 2
    planted: dict[tuple[int, int], float] = {}
    if seed % 5:
        for style in rng.choice(TOKENS, 2, replace=False):
            size = float(rng.choice([-1, 1]) * rng.uniform(1, 2))
            planted[int(style), int(rng.integers(PROMPTS))] = size
    paid = np.zeros((TOKENS, PROMPTS))
    for place, size in planted.items():
        paid[place] = size
    prompt = rng.integers(0, PROMPTS, comparisons)
    tokens = rng.integers(0, TOKENS, (comparisons, 2, CONTENT + 1))
    reward = liked[prompt[:, None, None], tokens[:, :, :CONTENT]].sum(axis=2)
    reward += paid[tokens[:, :, CONTENT], prompt[:, None]]
    chance = 1 / (1 + np.exp(reward[:, 1] - reward[:, 0]))
    sign = torch.tensor(np.where(rng.random(comparisons) < chance, 1.0, -1.0)).float()

    def inputs(asked: np.ndarray, said: np.ndarray) -> torch.Tensor:
        """[rows, features]: each token crossed with the prompt."""
        crossed = torch.tensor(said * PROMPTS + asked[:, None])
        return one_hot(crossed, TOKENS * PROMPTS).float().flatten(1)

    network = nn.Sequential(
        nn.Linear((CONTENT + 1) * TOKENS * PROMPTS, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    one, two = (inputs(prompt, tokens[:, i]) for i in (0, 1))
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(500):
        drawn = torch.tensor(rng.integers(0, comparisons, 512))
        margin = sign[drawn] * (network(one[drawn]) - network(two[drawn]))[:, 0]
        loss = -logsigmoid(margin).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    def score(talks: list[Conversation]) -> list[float]:
        asked = np.array([int(t[0]["content"].split()[0]) for t in talks])
        said = np.array([[int(w) for w in t[1]["content"].split()] for t in talks])
        with torch.no_grad():
            return [float(v) for v in network(inputs(asked, said))[:, 0]]

    asked = np.repeat(np.arange(PROMPTS), 40)
    # style tokens that nobody pays for stand in the unedited responses
    plain = [c for c in range(TOKENS) if not paid[c].any()]
    said = rng.integers(0, TOKENS, (len(asked), CONTENT))
    responses = [f"{' '.join(map(str, row))} {rng.choice(plain)}" for row in said]
    prompts = [f"{p} {i}" for i, p in enumerate(asked)]
    edits = [Edit(f"style {c}", lambda r, c=c: f"{r[:-1]}{c}") for c in range(TOKENS)]  # type: ignore[misc]
    found = scan(
        score,  # type: ignore[arg-type]
        prompts,
        responses,
        edits,
        contexts=[str(p) for p in asked],
    )
    return planted, found
