"""Labels without a language model: the tokens, or what stands before them, on which a latent fires.

A label is a rule that can be wrong: it is chosen on the texts of even index and scored on those of
odd index, against the same rule's score for another latent.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from workbench.suspects import Suspect

if TYPE_CHECKING:
    import numpy

WINDOW = 8
POSITIVES = 160
NEGATIVES = 1500
WORDS = 5
_VIEWS = (("", slice(0, 1)), ("after ", slice(1, 2)), ("near ", slice(1, WINDOW + 1)))


@dataclasses.dataclass(frozen=True, slots=True)
class Label:
    """What a latent seems to fire on.

    score: balanced accuracy of telling tokens on which it fires from others, on texts that the rule
    was not chosen on; 0.5 is chance. random: the same rule's score for a random other latent.
    Both are None where the latent fires on too few tokens to tell.
    """

    text: str
    score: float | None
    random: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    view: int
    tokens: tuple[int, ...]

    def share(self, contexts: numpy.ndarray) -> float:
        """The share of contexts [rows, WINDOW + 1] that the rule holds for."""
        import numpy as np

        return float(np.isin(contexts[:, _VIEWS[self.view][1]], self.tokens).any(1).mean())


def labels(
    suspect: Suspect,
    rows: dict[str, numpy.ndarray],
    latent: numpy.ndarray,
    row: numpy.ndarray,
    starts: numpy.ndarray,
    ends: numpy.ndarray,
) -> list[Label]:
    """One label per latent; its firings are row[starts[i]:ends[i]], the strongest first."""
    import numpy as np

    contexts = _contexts(rows)
    even = rows["text"] % 2 == 0
    dice = np.random.default_rng(0)
    pools = []
    for half in (even, ~even):
        pool = np.flatnonzero(half)
        pools.append(np.sort(dice.choice(pool, min(NEGATIVES, len(pool)), replace=False)))
    rules: list[_Rule | None] = []
    tests: list[tuple[numpy.ndarray, numpy.ndarray]] = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        firing = row[start:end]
        fit, test = (_spread(firing[even[firing] == wanted], POSITIVES) for wanted in (True, False))
        dark = [pool[~np.isin(pool, firing)] for pool in pools]
        tests.append((contexts[test], contexts[dark[1]]))
        rules.append(_chosen(contexts[fit], contexts[dark[0]]) if len(fit) >= 3 else None)
    known = sorted({token for rule in rules if rule is not None for token in rule.tokens})
    strings = dict(zip(known, suspect.token_strings(known), strict=True))
    usable = [i for i, rule in enumerate(rules) if rule is not None]
    made = []
    for i, rule in enumerate(rules):
        if rule is None:
            made.append(Label("", None, None))
            continue
        other = rules[usable[(usable.index(i) + 1 + len(usable) // 2) % len(usable)]]
        assert other is not None
        named = (strings[token].strip() or repr(strings[token]) for token in rule.tokens)
        words = " · ".join(dict.fromkeys(named))
        made.append(
            Label(
                f"{_VIEWS[rule.view][0]}{words}", _score(rule, *tests[i]), _score(other, *tests[i])
            )
        )
    return made


def _contexts(rows: dict[str, numpy.ndarray]) -> numpy.ndarray:
    """[rows, WINDOW + 1]: each token, then those before it in its text, the nearest first; -1 where
    there is none."""
    import numpy as np

    token, text = rows["token"].astype(np.int32), rows["text"]
    made = np.full((len(token), WINDOW + 1), -1, np.int32)
    made[:, 0] = token
    for back in range(1, WINDOW + 1):
        same = text[back:] == text[:-back]
        made[back:, back] = np.where(same, token[:-back], -1)
    return made


def _spread(firing: numpy.ndarray, most: int) -> numpy.ndarray:
    """At most `most` firings, evenly over their strengths."""
    import numpy as np

    if len(firing) <= most:
        return firing
    chosen: numpy.ndarray = firing[np.linspace(0, len(firing) - 1, most).astype(int)]
    return chosen


def _chosen(lit: numpy.ndarray, dark: numpy.ndarray) -> _Rule | None:
    """The rule with the largest hits less false alarms; None where no token tells anything."""
    import numpy as np

    best, gain = None, 0.0
    for view, (_, columns) in enumerate(_VIEWS):
        here, there = lit[:, columns], dark[:, columns]
        tokens, counts = np.unique(here[here >= 0], return_counts=True)
        candidates = tokens[np.argsort(-counts, kind="stable")[: 4 * WORDS]]
        present = (here[:, :, None] == candidates).any(1)
        false = (there[:, :, None] == candidates).any(1)
        order = np.argsort(-(present.mean(0) - false.mean(0)), kind="stable")
        hit, alarm = np.zeros(len(here), bool), np.zeros(len(there), bool)
        kept: list[int] = []
        reached = 0.0
        for candidate in order.tolist()[: 2 * WORDS]:
            hits, alarms = hit | present[:, candidate], alarm | false[:, candidate]
            now = float(hits.mean() - alarms.mean()) if len(there) else float(hits.mean())
            if now > reached + 0.01 and len(kept) < WORDS:
                kept.append(int(candidates[candidate]))
                hit, alarm, reached = hits, alarms, now
        if reached > gain + 0.02:  # a plainer view wins a near tie
            best, gain = _Rule(view, tuple(kept)), reached
    return best


def _score(rule: _Rule, lit: numpy.ndarray, dark: numpy.ndarray) -> float | None:
    if not len(lit) or not len(dark):
        return None
    return (rule.share(lit) + 1 - rule.share(dark)) / 2
