"""Finding latents: by a prompt, by a token, by the contrast of two sets of texts, by meaning.

Every hit says why it is one. None of the four needs a key or a language model.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from saes.activations import stream
from saes.lens import SAE
from saes.store import Store
from workbench.errors import BadParameter
from workbench.statistics import holm
from workbench.suspects import Suspect

if TYPE_CHECKING:
    from torch import Tensor

_WORD = re.compile(r"[^\W_]+")
_SATURATION, _LENGTH = 1.5, 0.75
"""BM25's k1 and b (Robertson & Zaragoza 2009)."""
_FIELDS = (("label", 2), ("top_tokens", 2), ("contexts", 1), ("promoted", 1))


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A latent, its score in this search (comparable within it alone), and the reason."""

    latent: int
    score: float
    reason: str
    label: str
    density: float


def by_prompt(
    store: Store, sae: SAE, suspect: Suspect, text: str, *, most: int = 20
) -> list[Found]:
    """The latents that a text lights up, by peak over the latent's maximum in the store, times the
    rarity of the latent (-ln density). Raises BadParameter on a text without ordinary tokens."""
    (chunk,) = stream(suspect, [text], [sae.hook_name])
    if not len(chunk.token):
        raise BadParameter("a text of no ordinary token", hint="Give some words.")
    latents = sae.encode(chunk.values[sae.hook_name])
    peak, place = latents.max(0)
    strings = suspect.token_strings(chunk.token.tolist())
    density = store.latents["density"].to_numpy()
    maximum = store.latents["maximum"].to_numpy()
    found = []
    for i in peak.nonzero().flatten().tolist():
        share = float(peak[i]) / max(float(maximum[i]), 1e-9)
        score = share * -math.log(min(max(float(density[i]), 1e-6), 0.999))
        reason = f"{share:.2f} of its maximum on {strings[int(place[i])]!r} (token {int(place[i])})"
        found.append(_found(store, i, score, reason))
    return _best(found, most)


def by_token(store: Store, token: str, *, most: int = 20) -> list[Found]:
    """The latents of which a token carries most, or which promote it most among its top logits.

    Spaces at the ends of tokens do not count. Raises BadParameter on a token nothing is known of.
    """
    wanted = token.strip().casefold()
    found = []
    columns = ("top_tokens", "top_shares", "promoted", "promoted_logits")
    table = {name: store.latents[name].to_pylist() for name in columns}
    for i in range(store.d_sae):
        share = sum(
            s
            for t, s in zip(table["top_tokens"][i], table["top_shares"][i], strict=True)
            if t.strip().casefold() == wanted
        )
        place = next(
            (n for n, t in enumerate(table["promoted"][i]) if t.strip().casefold() == wanted), None
        )
        if not share and place is None:
            continue
        reasons = []
        if share:
            reasons.append(f"{share:.0%} of its activation lies on it")
        if place is not None:
            logit = table["promoted_logits"][i][place]
            reasons.append(f"promotes it, logit {logit:+.2f}, place {place + 1}")
        score = share + (0 if place is None else 0.5 / (1 + place))
        found.append(_found(store, i, score, "; ".join(reasons)))
    if not found:
        raise BadParameter(
            f"no latent fires most on, or promotes, '{token}'",
            hint="Tokens may be parts of words: search a text that holds it instead.",
        )
    return _best(found, most)


def by_contrast(
    store: Store,
    sae: SAE,
    suspect: Suspect,
    one: Sequence[str],
    two: Sequence[str],
    *,
    most: int = 20,
) -> list[Found]:
    """The latents that carry the difference between two sets of texts, more active in either.

    Score: the latent's share of the difference of mean activations δ, Δ mean · (W_dec · δ) / |δ|²;
    shares add up to the part of δ that the SAE explains. Latents whose means by text do not differ
    (Welch, Holm over all latents that fired, p < 0.05) rank after those that do. Raises
    BadParameter where a set holds fewer than two texts or the two do not differ at all.
    """
    if min(len(one), len(two)) < 2:
        raise BadParameter(
            f"a contrast of {len(one)} and {len(two)} texts", hint="Give two or more of each."
        )
    (here, mean_here), (there, mean_there) = (_by_text(sae, suspect, t) for t in (one, two))
    delta = mean_here - mean_there
    size = float(delta.pow(2).sum())
    if size < 1e-12:
        raise BadParameter("the two sets give equal activations", hint="Give texts that differ.")
    change = here.mean(0) - there.mean(0)
    share = change * (sae.W_dec @ delta) / size
    live = ((here > 0).any(0) | (there > 0).any(0)).nonzero().flatten().tolist()
    p = _welch(here[:, live], there[:, live])
    found = []
    for i, corrected in zip(live, holm(p), strict=True):
        surely = corrected < 0.05
        side = "first" if float(change[i]) > 0 else "second"
        means = [float(part[:, i].mean()) for part in (here, there)]
        fires = [float((part[:, i] > 0).float().mean()) for part in (here, there)]
        reason = (
            f"more in the {side}: mean {means[0]:.3f} against {means[1]:.3f}, fires in "
            f"{fires[0]:.0%} of texts against {fires[1]:.0%}, carries {float(share[i]):.0%} of the "
            f"difference, p = {corrected:.2g}{'' if surely else ' (no difference shown)'}"
        )
        found.append((surely, _found(store, i, float(share[i]), reason)))
    found.sort(key=lambda pair: (-pair[0], -pair[1].score, pair[1].latent))
    return [one for _, one in found[:most]]


def by_meaning(store: Store, words: str, *, most: int = 20) -> list[Found]:
    """Latents whose labels, top tokens, top contexts and promoted tokens hold the words (BM25).

    Raises BadParameter where no latent holds any of them.
    """
    index = _index(store)
    wanted = [w for w in dict.fromkeys(_WORD.findall(words.casefold()))]
    if not wanted:
        raise BadParameter("no word to search for", hint="Give one or more words.")
    average = sum(sum(counts.values()) for counts, _ in index) / max(len(index), 1)
    scores: Counter[int] = Counter()
    why: dict[int, list[str]] = {}
    for word in wanted:
        holds = [i for i, (counts, _) in enumerate(index) if word in counts]
        rarity = math.log(1 + (len(index) - len(holds) + 0.5) / (len(holds) + 0.5))
        for i in holds:
            counts, fields = index[i]
            often = counts[word]
            longer = 1 - _LENGTH + _LENGTH * sum(counts.values()) / max(average, 1e-9)
            scores[i] += (
                rarity * often * (_SATURATION + 1) / (often + _SATURATION * longer)  # type: ignore[assignment]
            )
            why.setdefault(i, []).append(f"'{word}' in {', '.join(sorted(fields[word]))}")
    if not scores:
        raise BadParameter(
            f"no latent's label, contexts or logits hold any of: {', '.join(wanted)}",
            hint="Search by a text or by a contrast of texts instead.",
        )
    return _best([_found(store, i, s, "; ".join(why[i])) for i, s in scores.items()], most)


@lru_cache(maxsize=4)
def _index(store: Store) -> list[tuple[Counter[str], dict[str, set[str]]]]:
    """By latent: how often each word stands in its fields (weighted), and in which."""
    made = []
    contexts = store.contexts()
    rows = store.latents.select(["label", "top_tokens", "promoted"]).to_pylist()
    for i, row in enumerate(rows):
        counts: Counter[str] = Counter()
        fields: dict[str, set[str]] = {}
        for field, weight in _FIELDS:
            text: Any = contexts[i] if field == "contexts" else row[field]
            whole = text if isinstance(text, str) else " ".join(text)
            for word in _WORD.findall(whole.casefold()):
                counts[word] += weight
                fields.setdefault(word, set()).add(field.replace("_", " "))
        made.append((counts, fields))
    return made


def _by_text(sae: SAE, suspect: Suspect, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """(mean latents by text [texts, d_sae], mean activation over all texts [d_in])."""
    import torch

    latents = torch.zeros(len(texts), sae.d_sae)
    means = torch.zeros(len(texts), sae.d_in)
    count = torch.zeros(len(texts), 1)
    for chunk in stream(suspect, texts, [sae.hook_name]):
        x = chunk.values[sae.hook_name]
        latents.index_add_(0, chunk.text, sae.encode(x))
        means.index_add_(0, chunk.text, x)
        count.index_add_(0, chunk.text, torch.ones(len(x), 1))
    if not bool((count > 0).all()):
        empty = int((count == 0).nonzero()[0, 0])
        raise BadParameter(f"text {empty} holds no ordinary token", hint="Leave it out.")
    return latents / count, (means / count).mean(0)


def _welch(one: Tensor, two: Tensor) -> list[float]:
    """Two-sided p by column that means are equal (Welch 1947); [texts, columns] each."""
    from scipy.stats import t

    parts = [x.double().var(0) / len(x) for x in (one, two)]
    floor = 1e-12 * (one.double().mean(0).pow(2) + two.double().mean(0).pow(2)) + 1e-24
    error = (parts[0] + parts[1]).clamp(min=floor)
    statistic = (one.double().mean(0) - two.double().mean(0)).abs() / error.sqrt()
    freedom = error.pow(2) / (
        parts[0].pow(2) / (len(one) - 1) + parts[1].pow(2) / (len(two) - 1)
    ).clamp(min=1e-300)
    least = min(len(one), len(two)) - 1.0
    freedom = freedom.clamp(min=least, max=len(one) + len(two) - 2.0)
    return [float(v) for v in 2 * t.sf(statistic.numpy(), freedom.numpy())]


def _found(store: Store, latent: int, score: float, reason: str) -> Found:
    table = store.latents
    return Found(
        latent,
        score,
        reason,
        str(table["label"][latent].as_py()),
        float(table["density"][latent].as_py()),
    )


def _best(found: list[Found], most: int) -> list[Found]:
    return sorted(found, key=lambda f: (-f.score, f.latent))[:most]
