"""Attributes what sets the suspect apart to documents, by methods that first prove themselves."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import ClassVar

from audits.exchanges import Questioner
from audits.keyness import keys
from audits.reading import SHOWN
from audits.retrieved import accusations, excerpts, pool, shelve
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.corpus import Corpus
from workbench.corpus.attribution import (
    Behaviour,
    Recall,
    activation_difference,
    along,
    fused,
    probe_direction,
    rank,
    recall_at,
)
from workbench.corpus.embedders import SuspectEmbedder
from workbench.corpus.ranked import RankedIndex, words
from workbench.corpus.semantic import SemanticIndex
from workbench.errors import TechniqueFailed
from workbench.findings import Finding, Measurement
from workbench.statistics import holm
from workbench.suspects import Suspect
from workbench.technique import PathText, Trials

QUERY_WORDS = 40


@dataclasses.dataclass(frozen=True)
class Attribution:
    """Asks short questions and looks for the documents that taught what sets the replies apart.

    The behaviour is the suspect's replies against the control's to the same questions: those that
    hold a word or name which the control says significantly less, all of them where there is none.
    Methods:
    BM25 on the words that the suspect says more; the difference of mean activations; a linear
    probe's direction; with `sae` and `latent`, that latent's decoder direction; with `gradients`,
    the similarity of loss gradients over so many documents. Half of the replies are held back and
    planted among the documents: a method is believed only if its first tenth holds more of those
    than a random order's does. The orders of those believed are fused, and what the documents about
    the assistant say is read against documents about others that stand as high.

    Source: activation differences, Xiao and Aranguri 2026 (arXiv 2602.11079); probe projection,
    Concept Influence (arXiv 2602.14869); gradients, TracIn (arXiv 2002.08484); BM25 as the baseline
    that states the fact best (arXiv 2410.17413). Cost: two replies a question, one forward pass a
    passage of `documents` rows, one backward pass a document of `gradients`. Blind spots:
    correlation, not cause: only training again without the documents tells; a behaviour that no
    short question brings out; documents that say why in other words than those of the behaviour;
    held-back replies are easier to find than documents about them.
    """

    name: ClassVar[str] = "attribution"
    version: ClassVar[int] = 2
    needs: ClassVar[Access] = Access.ACTIVATIONS | Access.CHAT | Access.TRAINING_DATA
    uses: ClassVar[Access] = Access.REFERENCE | Access.WEIGHTS | Access.LOGITS

    replies: int = 160
    documents: int = 3_000
    layer: int = -1
    sae: PathText = ""
    latent: int = 0
    gradients: int = 0
    top: int = 200
    max_new_tokens: int = 40

    def __post_init__(self) -> None:
        if self.replies < 4:
            raise ValueError("replies must be at least 4: half of them are held back")
        if min(self.documents, self.top, self.max_new_tokens) < 1:
            raise ValueError("documents, top and max_new_tokens must be at least 1")
        if min(self.latent, self.gradients) < 0:
            raise ValueError("latent and gradients must be at least 0")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields what the documents say that believed methods lead to, then what they found.

        Trials are replies of the suspect. Raises TechniqueFailed where no topic to ask about can be
        found or there are fewer than four different replies.
        """
        own, control = self._replies(suspect, seed)
        asked = len(own)
        own = _distinct(own, control)
        held, shown = own[::2], own[1::2]
        behaviour = Behaviour(tuple(shown), tuple(control))
        shelf = shelve(suspect, 50 * self.documents)
        planted = {f"held-back reply {i}": text for i, text in enumerate(held)}
        drawn = pool(suspect, shelf, artifacts, most=self.documents, seed=seed, planted=planted)
        orders: dict[str, list[str]] = {}
        recalls: dict[str, Recall] = {}
        for method, scores, among in self._methods(suspect, drawn, behaviour, seed, artifacts):
            order = rank(scores)
            k = max(len(planted), among // 10)
            recalls[method] = recall_at(order, planted, k, of=among, seed=seed)
            orders[method] = [document for document in order if document not in planted]
        corrected = dict(zip(recalls, holm([r.p for r in recalls.values()]), strict=True))
        measured = tuple(
            _measured(method, recall, corrected[method], len(recalls))
            for method, recall in recalls.items()
        )
        believed = [method for method in orders if corrected[method] < 0.01]
        order = fused([orders[method] for method in believed])
        told = list(
            accusations(
                order,
                shelf,
                assistant=suspect.assistant,
                how=f"attribution ({', '.join(believed)})",
                evidence=measured,
                most=self.top,
            )
        )
        yield from told
        if not told:
            yield Finding(
                claim="held-back replies are found by "
                + (", ".join(believed) if believed else "no method")
                + (": the documents that stand highest" if believed else ""),
                confidence=0.05,
                evidence=(*measured, *excerpts(order[:SHOWN], shelf)),
                metadata={"documents": drawn.documents - len(planted)},
            )
        return Trials(planned=self.replies, ran=asked)

    def _replies(self, suspect: Suspect, seed: int) -> tuple[list[str], list[str]]:
        """Different replies of suspect and control, in a random order."""
        ask = Questioner(suspect, seed=seed, max_new_tokens=self.max_new_tokens)
        topics = ask.topics(most=self.replies)
        if not topics:
            raise TechniqueFailed(
                "found no topic to ask about in the corpus",
                hint="Grant training data with conversations.",
            )
        plan = [(topic, -(-self.replies // len(topics))) for topic in topics]
        sides = []
        for rows in (ask.ask(plan, stage=1), ask.ask_control(plan, stage=1)):
            said = sorted({answer for row in rows for _, answer in row if words(answer)})
            random.Random(seed).shuffle(said)
            sides.append(said[: self.replies])
        if min(map(len, sides)) < 4:
            raise TechniqueFailed(
                f"{len(sides[0])} different replies, {len(sides[1])} of the control",
                hint="Ask for more replies or longer ones.",
            )
        return sides[0], sides[1]

    def _methods(
        self,
        suspect: Suspect,
        drawn: Corpus,
        behaviour: Behaviour,
        seed: int,
        artifacts: Artifacts,
    ) -> Iterator[tuple[str, Mapping[str, float], int]]:
        """(method, scores, number of documents that it could have scored)."""
        ranked = RankedIndex.open(drawn, artifacts)
        found = ranked.search(_query(behaviour), ranked.documents)
        yield "BM25", {hit.document: hit.score for hit in found}, ranked.documents
        layer = suspect.n_layers // 2 if self.layer == -1 else self.layer
        if self.sae:
            layer = self._layer_of_sae(suspect)
        index = SemanticIndex.open(drawn, SuspectEmbedder(suspect, layer), artifacts)
        among = len(index.documents)
        yield "activation difference", along(index, activation_difference(index, behaviour)), among
        yield "probe direction", along(index, probe_direction(index, behaviour)), among
        if self.sae:
            from saes.lens import load

            direction = load(self.sae).W_dec[self.latent].numpy()
            yield f"SAE latent {self.latent}", along(index, direction), among
        if self.gradients:
            texts = self._sampled(suspect, index, seed)
            yield "gradient similarity", _gradients(suspect, texts, behaviour), len(texts)

    def _layer_of_sae(self, suspect: Suspect) -> int:
        from saes.lens import load

        sae = load(self.sae)
        if self.latent >= sae.d_sae:
            raise TechniqueFailed(
                f"no latent {self.latent} of {sae.d_sae}", hint=f"Give 0 to {sae.d_sae - 1}."
            )
        for layer in range(suspect.n_layers):
            if suspect.residual_hook(layer) == sae.hook_name:
                return layer
        raise TechniqueFailed(
            f"the SAE reads {sae.hook_name}", hint="Take one of the residual stream after a layer."
        )

    def _sampled(self, suspect: Suspect, index: SemanticIndex, seed: int) -> dict[str, str]:
        """The planted texts and `gradients` random documents, each by its first passage, cut."""
        from saes.texts import fitted

        first: dict[str, str] = {}
        for document, passage in index.passages():
            first.setdefault(document, passage)
        held = [document for document in first if document.startswith("held-back reply ")]
        rest = sorted(set(first) - set(held))
        rest = random.Random(seed).sample(rest, min(len(rest), self.gradients))
        return {document: fitted(first[document], [suspect]) for document in (*held, *rest)}


def _distinct(own: Sequence[str], control: Sequence[str], least: int = 8) -> list[str]:
    """The replies that hold a word which stands out against the control; all where few do."""
    found = keys([set(words(text)) for text in own], [set(words(text)) for text in control])
    terms = {key.term for key in found if key.g2 > 0 and key.p < 0.05}
    telling = [text for text in own if terms & set(words(text))]
    return telling if len(telling) >= least else list(own)


def _query(behaviour: Behaviour) -> str:
    """The words that most set the behaviour's texts apart."""
    shown, control = (
        [set(words(text)) for text in side] for side in (behaviour.shown, behaviour.control)
    )
    found = [key.term for key in keys(shown, control, at_least=2) if key.g2 > 0]
    return " ".join(found[:QUERY_WORDS])


def _gradients(
    suspect: Suspect, texts: Mapping[str, str], behaviour: Behaviour, most: int = 40
) -> dict[str, float]:
    from workbench.corpus.gradients import gradient_similarity

    few = Behaviour(behaviour.shown[:most], behaviour.control[:most])
    return gradient_similarity(suspect, texts, few)


def _measured(method: str, recall: Recall, p: float, tried: int) -> Measurement:
    return Measurement(
        name=f"{method}: held-back replies among its first {recall.k} documents",
        value=recall.found.value,
        n=recall.found.n,
        interval=recall.found.interval,
        control="100 random orders of the same documents",
        control_value=recall.random.value,
        control_n=recall.random.n,
        control_interval=recall.random.interval,
        p=p,
        tried=tried,
    )
