"""Are planted weights recovered from noisy answers, and what does a fit lose that ignores noise?"""

from __future__ import annotations

import dataclasses
from typing import Any

from workbench.rewards import bradley_terry

WEIGHTS = (1.0, -0.5, 0.25, 0.0)
Estimates = tuple[tuple[float, tuple[float, float]], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Recovery:
    """Mean estimates over replicates, each with the 95 % interval of that mean.

    aware: with the noise in the model; blind: without; attenuation: how much smaller the blind
    estimate of the first weight is than the aware one, as a share; spread: standard deviation of
    one aware estimate of the first weight.
    """

    planted: tuple[float, ...]
    pairs: int
    noise: float
    replicates: int
    aware: Estimates
    blind: Estimates
    attenuation: float
    spread: float

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)


def recover(
    *, pairs: int = 1000, noise: float = 0.1, replicates: int = 40, seed: int = 0
) -> Recovery:
    """Answers to pairs whose features differ by standard normals. With noise 0 both fits agree."""
    import numpy as np

    from workbench.statistics import mean_interval

    found = np.empty((2, replicates, len(WEIGHTS)))
    for i in range(replicates):
        rng = np.random.default_rng((seed, i))
        differences = rng.standard_normal((pairs, len(WEIGHTS)))
        chance = bradley_terry.chance(differences @ np.array(WEIGHTS), noise)
        mu = (rng.random(pairs) < chance).astype(np.float64)
        for kind, modelled in enumerate((noise, 0.0)):
            fit = bradley_terry.fit(differences, mu, noise=modelled, errors=False)
            found[kind, i] = fit.weights
    aware, blind = (
        tuple((float(v.mean()), mean_interval(v.tolist())) for v in kind.T) for kind in found
    )
    return Recovery(
        planted=WEIGHTS,
        pairs=pairs,
        noise=noise,
        replicates=replicates,
        aware=aware,
        blind=blind,
        attenuation=1 - blind[0][0] / aware[0][0],
        spread=float(found[0, :, 0].std(ddof=1)) if replicates > 1 else 0.0,
    )
