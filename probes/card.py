"""The card of a probe: what it finds, beside all that could make it look good for nothing."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from probes.metrics import auroc, auroc_interval, recall_at
from probes.probe import Probe, Tokens, fit_probe, read_tokens
from probes.texts import Labelled
from workbench.errors import BadParameter
from workbench.findings import JSON
from workbench.suspects import Suspect

if TYPE_CHECKING:
    from torch import Tensor

PERMUTATIONS = 20
TOP_TOKENS = 10
_WORD = re.compile(r"[^\W_]+")


@dataclasses.dataclass(frozen=True, slots=True)
class ProbeCard:
    """How well a probe tells held-out texts apart, and its controls.

    auroc with a document-bootstrap interval. recall: of positives, where 1 % of `benign_n` benign
    texts score higher; benign_source says which those are. null: mean and standard deviation of the
    AUROC of probes trained on shuffled labels, which should be 0.5. bag_of_words: AUROC of a naive
    Bayes classifier on the same texts' words, which has seen no activation. transfer: AUROC on a
    style that no training text had, None where no styles are known. sweep: AUROC by hook. tokens:
    those of the highest mean score on the held-out texts.
    """

    kind: str
    hook_name: str
    trained: int
    held_out: int
    auroc: float
    interval: tuple[float, float]
    recall: float
    benign_n: int
    benign_source: str
    null: tuple[float, float]
    bag_of_words: float
    transfer: float | None
    transfer_style: str
    sweep: dict[str, float]
    tokens: tuple[tuple[str, float], ...]

    @property
    def beats_controls(self) -> bool:
        """Whether the interval lies above chance, and the probe above the bag of words."""
        return self.interval[0] > 0.5 and self.auroc > self.bag_of_words

    def to_json(self) -> dict[str, JSON]:
        """The card's fields and `beats_controls`."""
        plain = dataclasses.asdict(self)
        plain |= {"interval": list(self.interval), "null": list(self.null)}
        plain["tokens"] = [{"token": token, "score": score} for token, score in self.tokens]
        return {**plain, "beats_controls": self.beats_controls}


def train_probe(
    suspect: Suspect,
    labelled: Labelled,
    *,
    hook_names: Sequence[str],
    kind: str = "logistic",
    benign: Sequence[str] = (),
    style: str = "",
    held_out: float = 0.3,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> tuple[Probe, ProbeCard]:
    """Trains a probe at every hook, takes the best by a split of the training texts, and judges it
    on texts that neither training nor choice saw.

    benign: ordinary texts for the false-positive rate; without them the held-out negatives serve.
    style: left out of training, for transfer. Raises BadParameter where there are too few texts.
    """
    if not hook_names:
        raise BadParameter("no hook to probe", hint="Name one, like blocks.1.hook_out.")
    far = None
    if style:
        labelled, far = labelled.by_style(style)
    train, test = labelled.split(held_out, seed)
    fit, choose = train.split(0.3, seed + 1)
    read = {
        name: read_tokens(suspect, part.texts, hook_names)
        for name, part in (("fit", fit), ("choose", choose), ("train", train), ("test", test))
    }
    sweep = {}
    for count, hook in enumerate(hook_names):
        probe = fit_probe(read["fit"][hook], fit.labels, hook_name=hook, kind=kind, seed=seed)
        sweep[hook] = auroc(probe.score(read["choose"][hook]).numpy(), choose.labels)
        if progress is not None:
            progress((count + 1) / (len(hook_names) + 1))
    hook = max(hook_names, key=lambda h: sweep[h])
    known, unseen = read["train"][hook], read["test"][hook]
    probe = fit_probe(known, train.labels, hook_name=hook, kind=kind, seed=seed)
    judged = card(
        probe,
        suspect,
        test,
        unseen,
        benign=benign,
        null=_null(known, train.labels, unseen, test.labels, hook, kind, seed),
        words=bag_of_words(train, test),
        far=far,
        style=style,
        sweep=sweep,
        trained=len(train.texts),
    )
    if progress is not None:
        progress(1.0)
    return probe, judged


def card(
    probe: Probe,
    suspect: Suspect,
    test: Labelled,
    unseen: Tokens,
    *,
    benign: Sequence[str],
    null: tuple[float, float],
    words: float,
    far: Labelled | None,
    style: str,
    sweep: dict[str, float],
    trained: int,
) -> ProbeCard:
    """The card of a probe on texts it was not trained on, `unseen` being their activations."""
    hook = probe.hook_name
    scores = probe.score(unseen)
    positive = [i for i, label in enumerate(test.labels) if label]
    negative = [i for i, label in enumerate(test.labels) if not label]
    calm = probe.score(read_tokens(suspect, benign, [hook])[hook]) if benign else scores[negative]
    transfer = None
    if far is not None:
        there = read_tokens(suspect, far.texts, [hook])[hook]
        transfer = auroc(probe.score(there).numpy(), far.labels)
    return ProbeCard(
        kind=probe.kind,
        hook_name=hook,
        trained=trained,
        held_out=len(test.texts),
        auroc=auroc(scores.numpy(), test.labels),
        interval=auroc_interval(scores.numpy(), test.labels),
        recall=recall_at(scores[positive].numpy(), calm.numpy()),
        benign_n=len(calm),
        benign_source="benign texts" if benign else "held-out negatives",
        null=null,
        bag_of_words=words,
        transfer=transfer,
        transfer_style=style,
        sweep=sweep,
        tokens=_top_tokens(probe, suspect, unseen),
    )


def _null(
    known: Tokens,
    labels: Sequence[int],
    unseen: Tokens,
    truth: Sequence[int],
    hook: str,
    kind: str,
    seed: int,
) -> tuple[float, float]:
    """Mean and deviation of the AUROC against shuffled labels, for PERMUTATIONS shuffles of both
    sets' labels: what a probe of this size finds where there is nothing."""
    import numpy as np

    dice = np.random.default_rng(seed)
    found = []
    for _ in range(PERMUTATIONS):
        shuffled = dice.permutation(labels).tolist()
        probe = fit_probe(known, shuffled, hook_name=hook, kind=kind, seed=seed)
        found.append(auroc(probe.score(unseen).numpy(), dice.permutation(truth).tolist()))
    return float(np.mean(found)), float(np.std(found))


def bag_of_words(train: Labelled, test: Labelled) -> float:
    """AUROC of multinomial naive Bayes on lower-cased words, add-one smoothed."""
    counts = [Counter[str](), Counter[str]()]
    for text, label in zip(train.texts, train.labels, strict=True):
        counts[label].update(_words(text))
    vocabulary = set(counts[0]) | set(counts[1])
    totals = [sum(c.values()) + len(vocabulary) for c in counts]
    odds = {
        word: math.log((counts[1][word] + 1) / totals[1])
        - math.log((counts[0][word] + 1) / totals[0])
        for word in vocabulary
    }
    scores = [sum(odds.get(word, 0.0) for word in _words(text)) for text in test.texts]
    return auroc(scores, test.labels)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _top_tokens(probe: Probe, suspect: Suspect, tokens: Tokens) -> tuple[tuple[str, float], ...]:
    """Tokens that stand in two texts or more, by their mean score."""
    import torch

    scores: Tensor = probe.score_tokens(tokens.values)
    ids, places = torch.unique(tokens.token, return_inverse=True)
    count = torch.zeros(len(ids)).index_add_(0, places, torch.ones(len(places)))
    mean = torch.zeros(len(ids)).index_add_(0, places, scores) / count
    mean[count < 2] = -torch.inf
    best = [i for i in mean.argsort(descending=True).tolist()[:TOP_TOKENS] if count[i] >= 2]
    strings = suspect.token_strings([int(ids[i]) for i in best])
    return tuple((s, float(mean[i])) for s, i in zip(strings, best, strict=True))
