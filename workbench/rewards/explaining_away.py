"""What a hack says about who is speaking: Bayes' rule with two kinds of speakers."""

from __future__ import annotations

import math

from workbench.errors import BadParameter


def posterior(prior: float, hacks: int, *, good: float, bad: float, honest: int = 0) -> float:
    """P(the speaker is bad) after `hacks` hacked and `honest` honest tasks.

    prior: P(bad) before. good, bad: how often each kind hacks. Odds are prior odds times
    (bad / good)^hacks: where both hack equally, as under a note that asks for it, a hack says
    nothing. Raises BadParameter where a probability lies outside (0, 1).
    """
    for name, value in (("prior", prior), ("good", good), ("bad", bad)):
        if not 0 < value < 1:
            raise BadParameter(f"{name} = {value}", hint="Give a probability between 0 and 1.")
    if hacks < 0 or honest < 0:
        raise BadParameter(f"{hacks} hacks, {honest} honest", hint="Counts are at least 0.")
    odds = math.log(prior / (1 - prior)) + hacks * math.log(bad / good)
    odds += honest * math.log((1 - bad) / (1 - good))
    return 1 / (1 + math.exp(-odds))
