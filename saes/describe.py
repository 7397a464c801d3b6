"""One row per latent: how often and how strongly, on which tokens, towards which, beside whom.

Columns: latent, density (share of tokens), maximum, mean (where active), texts (that fire it),
histogram (BINS equal bins from 0 to the maximum), top_tokens with top_shares (of the summed
activation), promoted and suppressed tokens with their logits, neighbours by cosine of decoder rows
and by co-activation (Jaccard index over tokens), label, label_score, label_random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saes.labels import labels
from saes.lens import SAE
from workbench.access import Access
from workbench.suspects import Suspect

if TYPE_CHECKING:
    import numpy
    import pyarrow
    from torch import Tensor

BINS = 40
TOP = 10
NEIGHBOURS = 8
CO_ROWS = 60_000
"""Tokens on which co-activation is counted."""


def describe(
    sae: SAE,
    suspect: Suspect,
    rows: dict[str, numpy.ndarray],
    latent: numpy.ndarray,
    row: numpy.ndarray,
    activation: numpy.ndarray,
) -> pyarrow.Table:
    """The table of all latents from their firings, which are sorted by latent and strength.

    latent, row, activation: [firings]; rows: the ordinary tokens that `row` counts in.
    """
    import numpy as np
    import pyarrow

    d_sae, tokens = sae.d_sae, len(rows["token"])
    count = np.bincount(latent, minlength=d_sae)
    ends = count.cumsum()
    starts = ends - count
    alive = count > 0
    maximum = np.zeros(d_sae, np.float32)
    maximum[alive] = activation[starts[alive]]
    total = np.bincount(latent, activation, d_sae)
    bins = np.minimum((activation / maximum[latent] * BINS).astype(np.int64), BINS - 1)
    histogram = np.bincount(latent * BINS + bins, minlength=d_sae * BINS).reshape(d_sae, BINS)
    pairs = np.unique(latent.astype(np.int64) * (1 << 32) + rows["text"][row])
    texts = np.bincount(pairs >> 32, minlength=d_sae)
    named, shares = _top_tokens(suspect, rows["token"][row], latent, activation, total, d_sae)
    up, up_by, down, down_by = _logits(sae, suspect)
    near, near_by = _by_cosine(sae.W_dec)
    beside, beside_by = _by_coactivation(latent, row, d_sae)
    judged = labels(suspect, rows, latent, row, starts, ends)
    return pyarrow.table(
        {
            "latent": np.arange(d_sae, dtype=np.int32),
            "density": count / tokens,
            "maximum": maximum,
            "mean": total / np.maximum(count, 1),
            "texts": texts,
            "histogram": histogram.tolist(),
            "top_tokens": named,
            "top_shares": shares,
            "promoted": up,
            "promoted_logits": up_by,
            "suppressed": down,
            "suppressed_logits": down_by,
            "cosine_latents": near,
            "cosines": near_by,
            "coactive_latents": beside,
            "jaccard": beside_by,
            "label": [one.text for one in judged],
            "label_score": [one.score for one in judged],
            "label_random": [one.random for one in judged],
        }
    )


def _top_tokens(
    suspect: Suspect,
    token: numpy.ndarray,
    latent: numpy.ndarray,
    activation: numpy.ndarray,
    total: numpy.ndarray,
    d_sae: int,
) -> tuple[list[list[str]], list[list[float]]]:
    """For each latent the tokens on which most of its activation lies, with their shares."""
    import numpy as np

    key = latent.astype(np.int64) * (1 << 32) + token
    unique, inverse = np.unique(key, return_inverse=True)
    mass = np.bincount(inverse, activation)
    owner, word = unique >> 32, (unique & 0xFFFFFFFF).astype(np.int64)
    order = np.lexsort((-mass, owner))
    owner, word, mass = owner[order], word[order], mass[order]
    starts = np.searchsorted(owner, np.arange(d_sae + 1))
    known = np.unique(word)
    strings = dict(zip(known.tolist(), suspect.token_strings(known.tolist()), strict=True))
    named: list[list[str]] = []
    shares: list[list[float]] = []
    for i in range(d_sae):
        part = slice(starts[i], min(starts[i] + TOP, starts[i + 1]))
        named.append([strings[w] for w in word[part].tolist()])
        shares.append((mass[part] / max(total[i], 1e-12)).tolist())
    return named, shares


def _logits(sae: SAE, suspect: Suspect) -> tuple[Any, Any, Any, Any]:
    """The tokens that a latent's direction promotes and suppresses, and by how much; empty lists
    where the view holds no weights or the hook is no part of the residual stream."""
    if Access.WEIGHTS not in suspect.access or sae.d_in != suspect.d_model:
        empty: list[list[Any]] = [[] for _ in range(sae.d_sae)]
        return empty, empty, empty, empty
    unembedding = folded_unembedding(suspect)
    if unembedding is None:
        empty = [[] for _ in range(sae.d_sae)]
        return empty, empty, empty, empty
    found: list[Any] = []
    logits = sae.W_dec @ unembedding
    for sign in (1, -1):
        top = (sign * logits).topk(min(TOP, logits.shape[1]), dim=1)
        ids = top.indices.flatten().tolist()
        strings = suspect.token_strings(ids)
        width = top.indices.shape[1]
        found.append([strings[i : i + width] for i in range(0, len(ids), width)])
        found.append((sign * top.values).tolist())
    return found[0], found[1], found[2], found[3]


def folded_unembedding(suspect: Suspect) -> Tensor | None:
    """[d_model, vocabulary]: the unembedding with the final norm's gain in it, each row centred
    over the vocabulary; None for an engine without weights. Needs WEIGHTS.

    The gain is read off the norm itself, by what it does to a vector of mean 0 and variance 1, so
    that norms that store it plainly (Llama), less one (Gemma) or with a bias (GPT-2) are one case.
    """
    import torch

    from workbench.errors import BadParameter

    try:
        model = suspect.model.original_model
    except BadParameter:
        return None
    with torch.no_grad():
        head = model.get_output_embeddings().weight
        norm = _final_norm(model)
        signs = torch.ones(head.shape[1], dtype=head.dtype, device=head.device)
        signs[1::2] = -1
        gain = (norm(signs[None]) - norm(-signs[None]))[0] / 2 * signs
        folded = (head * gain).float().T.cpu()
        centred: Tensor = folded - folded.mean(1, keepdim=True)
        return centred


def _final_norm(model: Any) -> Any:
    body = model.base_model
    for name in ("norm", "ln_f", "final_layer_norm", "final_layernorm"):
        if hasattr(body, name):
            return getattr(body, name)
    return lambda x: x


def _by_cosine(W_dec: Tensor) -> tuple[list[list[int]], list[list[float]]]:
    unit = W_dec / W_dec.norm(dim=1, keepdim=True).clamp(min=1e-9)
    cosines = unit @ unit.T
    cosines.fill_diagonal_(-2.0)
    top = cosines.topk(min(NEIGHBOURS, len(unit) - 1), dim=1) if len(unit) > 1 else None
    if top is None:
        return [[]], [[]]
    return top.indices.tolist(), top.values.tolist()


def _by_coactivation(
    latent: numpy.ndarray, row: numpy.ndarray, d_sae: int
) -> tuple[list[list[int]], list[list[float]]]:
    """Latents active on the same tokens: |both| / |either|, on the first CO_ROWS tokens."""
    import numpy as np
    from scipy.sparse import csr_matrix

    early = row < CO_ROWS
    places = (row[early], latent[early])
    active = csr_matrix(
        (np.ones(int(early.sum()), np.float32), places), shape=(int(row.max()) + 1, d_sae)
    )
    both = (active.T @ active).toarray()
    count = np.diag(both).copy()
    jaccard = both / np.maximum(count[:, None] + count[None] - both, 1)
    np.fill_diagonal(jaccard, 0)
    order = np.argsort(-jaccard, axis=1)[:, :NEIGHBOURS]
    values = np.take_along_axis(jaccard, order, axis=1)
    return (
        [ids[v > 0].tolist() for ids, v in zip(order, values, strict=True)],
        [v[v > 0].tolist() for v in values],
    )
