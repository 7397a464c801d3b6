"""The bias scanner: what a reward model pays for a change that should change nothing.

Matched pairs (response, edited response), scored by the same model; the effect of an edit is the
mean difference, tested over prompts and corrected for everything that was tried (FDR).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter
from workbench.rewards.edits import Edit
from workbench.rewards.tables import Column, Table

if TYPE_CHECKING:
    import numpy

    from workbench.suspects import Conversation

RESPONSES = (
    Column("prompt", "text", "what was asked"),
    Column("response", "text", "an answer to be edited and scored"),
    Column("context", "text", "kind of prompt, to tell biases apart", optional=True),
)
SCORED = (
    Column("edit", "text", "name of the change"),
    Column("before", "number", "reward of the response"),
    Column("after", "number", "reward of the changed response, of equal worth"),
    Column("prompt", "text", "what was asked; each row its own where it is left out", True),
    Column("context", "text", "kind of prompt, to tell biases apart", True),
)
FEWEST_PROMPTS = 5
EVERYWHERE = "all"
ROUNDING = 1e-5


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """What an edit does in a context. effect: mean of (after - before) over prompts, in the
    reward's unit, with its 95 % t interval; per_sd: in standard deviations of the unedited rewards.
    q: false-discovery rate of the list that ends with this one. applicable: share of responses
    that the edit applied to. placebo: effect of an empty change of the same kind, with its
    interval, and `beyond` the difference to it with its own; None where there is no such change.
    """

    edit: str
    context: str
    pairs: int
    prompts: int
    applicable: float
    effect: float
    low: float
    high: float
    per_sd: float | None
    p: float
    q: float
    flagged: bool
    placebo: float | None = None
    placebo_interval: tuple[float, float] | None = None
    beyond: tuple[float, float, float] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Scan:
    """All effects, those most surely different from nothing first. unequal: pairs that were left
    out because the gold program tells them apart; untested: (edit, context) with fewer than 5
    prompts, which are listed with p = 1.
    """

    fdr: float
    tried: int
    responses: int
    reward_spread: float
    effects: tuple[Effect, ...]
    unequal: int
    untested: int

    @property
    def flagged(self) -> tuple[Effect, ...]:
        """The effects on the list."""
        return tuple(effect for effect in self.effects if effect.flagged)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(slots=True)
class _Pairs:
    """The differences of one edit in one context, with the prompt of each."""

    applicable: float
    prompts: list[str]
    changes: list[float]
    placebos: list[float | None]


def scan(
    score: Callable[[Sequence[Conversation]], list[float]],
    prompts: Sequence[str],
    responses: Sequence[str],
    edits: Sequence[Edit],
    *,
    contexts: Sequence[str] | None = None,
    gold: Callable[[str, str], float] | None = None,
    fdr: float = 0.05,
    progress: Callable[[float], None] = lambda share: None,
) -> Scan:
    """Edits every response in every way that applies, and scores both.

    contexts: one for each response; effects are then also told apart by context. gold: keeps only
    pairs of equal gold. Raises BadParameter where nothing applies anywhere.
    """
    from workbench.suspects.rewards import exchange

    texts = list(zip(prompts, responses, strict=True))
    if not texts or not edits:
        raise BadParameter("nothing to scan", hint="Give responses and at least one edit.")
    before = score([exchange(*text) for text in texts])
    kinds = list(contexts or ())
    found: dict[tuple[str, str], _Pairs] = {}
    unequal = 0
    for number, edit in enumerate(edits):
        jobs: list[tuple[int, str, str | None]] = []
        for place, (prompt, response) in enumerate(texts):
            changed = edit.apply(response)
            if changed is None or changed == response:
                continue
            if gold is not None and gold(prompt, changed) != gold(prompt, response):
                unequal += 1
                continue
            jobs.append((place, changed, None if edit.placebo is None else edit.placebo(response)))
        after = score([exchange(texts[i][0], changed) for i, changed, _ in jobs]) if jobs else []
        empty = [(i, text) for i, _, text in jobs if text is not None]
        placebo = score([exchange(texts[i][0], text) for i, text in empty]) if empty else []
        neutral = {i: value - before[i] for (i, _), value in zip(empty, placebo, strict=True)}
        for context in (EVERYWHERE, *sorted(set(kinds))):
            inside = [
                j for j, (i, _, _) in enumerate(jobs) if context in (EVERYWHERE, *kinds[i : i + 1])
            ]
            whole = len(texts) if context == EVERYWHERE else kinds.count(context)
            found[edit.name, context] = _Pairs(
                len(inside) / whole,
                [texts[jobs[j][0]][0] for j in inside],
                [after[j] - before[jobs[j][0]] for j in inside],
                [neutral.get(jobs[j][0]) for j in inside],
            )
        progress((number + 1) / len(edits))
    if not any(pairs.changes for pairs in found.values()):
        raise BadParameter(
            "no edit applies to any response" + (" at equal gold" if unequal else ""),
            hint="Give longer responses or other edits.",
        )
    return _judged(found, _spread(before), len(texts), fdr, unequal)


def scan_table(table: Table, *, fdr: float = 0.05) -> Scan:
    """The same judgement on pairs that were scored elsewhere: a table with SCORED."""
    edits = table.labels("edit")
    before, after = table.numbers("before"), table.numbers("after")
    prompts = table.texts("prompt") if "prompt" in table else list(map(str, range(table.rows)))
    kinds = table.texts("context") if "context" in table else None
    found: dict[tuple[str, str], _Pairs] = {}
    for row, code in enumerate(edits.codes):
        for context in (EVERYWHERE, *([kinds[row]] if kinds else [])):
            pairs = found.setdefault((edits.names[code], context), _Pairs(1.0, [], [], []))
            pairs.prompts.append(prompts[row])
            pairs.changes.append(float(after[row] - before[row]))
            pairs.placebos.append(None)
    return _judged(found, _spread(list(map(float, before))), table.rows, fdr, 0)


def _judged(
    found: dict[tuple[str, str], _Pairs], spread: float, responses: int, fdr: float, unequal: int
) -> Scan:
    from workbench.statistics import benjamini_hochberg

    if not 0 < fdr < 1:
        raise BadParameter(f"a false-discovery rate of {fdr}", hint="Choose one between 0 and 1.")
    kept = {key: pairs for key, pairs in found.items() if pairs.changes}
    rows = [(key, pairs, _test(pairs, spread)) for key, pairs in kept.items()]
    tested = [row[2].p is not None for row in rows]
    corrected = iter(benjamini_hochberg([row[2].p for row in rows if row[2].p is not None]))
    effects = []
    for (edit, context), pairs, test in rows:
        q = 1.0 if test.p is None else next(corrected)
        effects.append(
            Effect(
                edit=edit,
                context=context,
                pairs=len(pairs.changes),
                prompts=test.prompts,
                applicable=pairs.applicable,
                effect=test.mean,
                low=test.mean - test.half,
                high=test.mean + test.half,
                per_sd=test.mean / spread if spread > 0 else None,
                p=1.0 if test.p is None else test.p,
                q=q,
                flagged=q <= fdr and test.p is not None,
                placebo=test.placebo,
                placebo_interval=test.placebo_interval,
                beyond=test.beyond,
            )
        )
    effects.sort(key=lambda e: (e.q, e.p, -abs(e.effect)))
    return Scan(fdr, sum(tested), responses, spread, tuple(effects), unequal, tested.count(False))


@dataclasses.dataclass(frozen=True, slots=True)
class _Test:
    prompts: int
    mean: float
    half: float
    p: float | None
    placebo: float | None
    placebo_interval: tuple[float, float] | None
    beyond: tuple[float, float, float] | None


def _test(pairs: _Pairs, spread: float) -> _Test:
    means = _by_prompt(pairs.prompts, pairs.changes)
    mean, half, p = _t(means, spread)
    placebo, around, beyond = None, None, None
    empty = [
        (q, c, e)
        for q, c, e in zip(pairs.prompts, pairs.changes, pairs.placebos, strict=True)
        if e is not None
    ]
    if empty:
        asked = [q for q, _, _ in empty]
        placebo, half_of_it, _ = _t(_by_prompt(asked, [e for _, _, e in empty]), spread)
        around = (placebo - half_of_it, placebo + half_of_it)
        difference, wide, _ = _t(_by_prompt(asked, [c - e for _, c, e in empty]), spread)
        beyond = (difference, difference - wide, difference + wide)
    return _Test(len(means), mean, half, p, placebo, around, beyond)


def _by_prompt(prompts: Sequence[str], values: Sequence[float]) -> numpy.ndarray:
    """One mean for each prompt: several responses to one prompt are no independent evidence."""
    import numpy as np

    _, codes = np.unique(np.asarray(prompts), return_inverse=True)
    return np.asarray(np.bincount(codes, np.asarray(values)) / np.bincount(codes))


def _t(values: numpy.ndarray, spread: float) -> tuple[float, float, float | None]:
    """(mean, half width of the 95 % interval, p); no p below FEWEST_PROMPTS values."""
    from scipy.stats import t

    n, mean = len(values), float(values.mean())
    if n < 2:
        return mean, 0.0, None
    error = float(values.std(ddof=1)) / math.sqrt(n)
    half = float(t.ppf(0.975, n - 1)) * error
    if n < FEWEST_PROMPTS:
        return mean, half, None
    if abs(mean) <= ROUNDING * max(spread, 1e-9):
        return mean, half, 1.0
    return mean, half, 0.0 if error == 0 else 2 * float(t.sf(abs(mean) / error, n - 1))


def _spread(rewards: Sequence[float]) -> float:
    import numpy as np

    return float(np.std(rewards, ddof=1)) if len(rewards) > 1 else 0.0
