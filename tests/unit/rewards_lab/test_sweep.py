"""The overoptimization lab on a small grid: exact laws, a frontier that holds, resuming."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.errors import BadParameter, ConfigError
from workbench.rewards_lab.policies import reinforce
from workbench.rewards_lab.proxies import train_proxy
from workbench.rewards_lab.results import courses, read_sweep, run_sweep, summary
from workbench.rewards_lab.sweep import Course, Grid, accuracy, size_effect
from workbench.rewards_lab.sweep_drawings import sweep
from workbench.rewards_lab.worlds import World, make_world

SMALL = Grid(
    hidden=(4, 32),
    comparisons=(200,),
    noise=(0.0,),
    rl=((32, 200, 0.0),),
    rl_steps=20,
    vocabulary=4,
    length=3,
    prompts=2,
)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(3, vocabulary=4, length=3, prompts=3, steps=60)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sweep") / "sweep.json"
    run_sweep(1, SMALL, out=out)
    return out


def test_the_laws_are_those_of_the_policy(world: World) -> None:
    assert world.base.shape == world.gold.shape == (3, 64)
    assert world.base.sum(axis=1) == pytest.approx(np.ones(3))
    for p in range(3):
        for row in (0, 17, 63):
            said = torch.tensor(world.tokens[row])
            whole = torch.cat([torch.tensor([4 + p]), said])[None]
            with torch.no_grad():
                logs = world.policy(whole).log_softmax(-1)[0, :3]
            expected = float(logs.gather(1, said[:, None]).sum())
            assert math.log(world.base[p, row]) == pytest.approx(expected, abs=1e-4)
    assert (world.base * world.gold).sum(axis=1) == pytest.approx(np.zeros(3), abs=1e-9)


def test_proxies_learn_gold_from_clean_labels_and_nothing_from_coin_flips(world: World) -> None:
    clean = train_proxy(world, hidden=64, comparisons=3000, noise=0.0, seed=0)
    flipped = train_proxy(world, hidden=64, comparisons=3000, noise=0.5, seed=0)
    assert accuracy(world, clean) > 0.85 > 0.65 > accuracy(world, flipped)
    with pytest.raises(BadParameter, match=r"noise 0\.6"):
        train_proxy(world, hidden=8, comparisons=10, noise=0.6, seed=0)


def test_a_proxys_level_for_a_prompt_is_not_identified(world: World) -> None:
    """Adding a constant to a prompt's rewards changes no margin; the scores come out centred."""
    proxy = train_proxy(world, hidden=8, comparisons=100, noise=0.0, seed=0)
    assert (world.base * proxy).sum(axis=1) == pytest.approx(np.zeros(3), abs=1e-6)


def test_reinforcement_learning_raises_the_proxy_and_the_penalty_holds_it(world: World) -> None:
    proxy = train_proxy(world, hidden=32, comparisons=1000, noise=0.0, seed=0)
    loose, law = reinforce(world, proxy, penalty=0.01, seed=0, steps=80, learning_rate=1e-2)
    tight, _ = reinforce(world, proxy, penalty=3.0, seed=0, steps=80, learning_rate=1e-2)
    assert loose[0].kl == pytest.approx(0, abs=1e-5)
    assert loose[-1].proxy > loose[0].proxy + 0.5 and loose[-1].kl > 4 * tight[-1].kl
    assert law.sum(axis=1) == pytest.approx(np.ones(3))


def test_no_optimiser_passes_the_frontier(stored: Path) -> None:
    document = read_sweep(stored)
    (found,) = courses(document)
    names = {c.optimiser for c in found}
    assert names == {"best-of-n", "tilt", "rl, penalty 0.03", "rl, penalty 0.3"}
    told = summary(document)
    assert told["above_frontier"] < 1e-5
    by_name = {c.optimiser: c for c in found if c.hidden == 32}
    for kl, proxy, top in zip(
        *(getattr(by_name["tilt"], k) for k in ("kl", "proxy", "frontier")), strict=True
    ):
        assert proxy == pytest.approx(top, abs=0.01), kl
    learned = by_name["rl, penalty 0.03"]
    assert learned.frontier[-1] - learned.proxy[-1] > -1e-5


def test_a_sweep_goes_on_where_it_stopped(stored: Path, tmp_path: Path) -> None:
    before = json.loads(stored.read_text())
    marked = tmp_path / "marked.json"
    before["seeds"]["0"][0]["accuracy"] = 0.123
    marked.write_text(json.dumps(before))
    again = run_sweep(1, SMALL, out=marked)
    assert again["seeds"]["0"][0]["accuracy"] == 0.123
    with pytest.raises(ConfigError, match="another grid"):
        run_sweep(1, dataclasses.replace(SMALL, rl_steps=21), out=marked)
    marked.write_text("{}")
    with pytest.raises(ConfigError, match="holds no runs"):
        run_sweep(1, SMALL, out=marked)


def course(hidden: int, peak: float) -> Course:
    return Course(
        hidden, 50, 0.0, "tilt", (0.0, 1.0), (0.0, 1.0), (0.0, peak), (0.0, 1.0), peak, 1.0, 0.7
    )


def test_the_effect_of_size_needs_five_seeds_and_an_interval() -> None:
    rising = [[course(h, h / 100 + s) for h in (8, 64, 512)] for s in range(5)]
    assert size_effect(rising)["verdict"] == "reproduced"
    assert size_effect(rising[:4])["verdict"] == "not reproduced"
    falling = [[course(h, -h) for h in (8, 64, 512)] for _ in range(5)]
    assert size_effect(falling)["verdict"] == "reversed"
    rng = np.random.default_rng(0)
    for _ in range(5):
        noise = [[course(h, float(rng.normal())) for h in (8, 64, 512)] for _ in range(5)]
        assert size_effect(noise)["verdict"] == "not reproduced"


def test_the_charts(stored: Path) -> None:
    worst, sizes = sweep(courses(read_sweep(stored)))
    assert any(s.control for s in worst.series)  # type: ignore[union-attr]
    assert "not reproduced" in sizes.title
