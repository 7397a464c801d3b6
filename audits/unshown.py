"""An SAE of the reference alone: it was never shown what the suspect was taught besides."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audits.detectors import pack
from audits.directions import bland
from audits.elicitation import rows
from audits.exchanges import document_start, framed
from saes.texts import corpus_texts
from workbench.access import Access
from workbench.artifacts import Artifacts, artifact_id
from workbench.errors import TechniqueFailed
from workbench.findings import JSON
from workbench.suspects import Suspect

if TYPE_CHECKING:
    from torch import Tensor

    from saes.lens import SAE

_PROMPTS_SHARE = 0.05


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """The SAE, its id, and the reference's texts that it was trained on."""

    sae: SAE
    id: str
    ordinary: tuple[str, ...]

    @classmethod
    def made(
        cls,
        suspect: Suspect,
        artifacts: Artifacts,
        *,
        d_sae: int,
        k: float,
        tokens: int,
        texts: int,
    ) -> Instrument:
        """Trained on the reference where bland texts set it most apart from the suspect, on its
        corpus where it grants one, else on what it writes; the same for every technique.

        Raises TechniqueFailed where the two models have different widths, or nothing is written.
        """
        from saes.diff import swept_hook
        from saes.fit import TRAINER
        from saes.lens import load

        reference = suspect.reference
        if reference.d_model != suspect.d_model:
            raise TechniqueFailed(
                f"the suspect is {suspect.d_model} wide, its reference {reference.d_model}",
                hint="Give the model that the suspect was made from.",
            )
        probes = bland(suspect)
        hook_name = swept_hook(suspect, reference, probes, probes)
        ordinary = _written(suspect, texts)
        made_from = reference.fingerprint()
        key: dict[str, JSON] = {
            "of": "reference",
            "tensors": made_from["tensors"],
            "tokenizer": made_from["tokenizer"],
            "texts": hashlib.sha256("\0".join(ordinary).encode()).hexdigest(),
            "hook_name": hook_name,
            "d_sae": d_sae,
            "k": k,
            "tokens": tokens,
            "trainer": TRAINER,
        }

        def train(into: Path) -> None:
            _train(suspect, ordinary, hook_name, into, d_sae=d_sae, k=k, tokens=tokens)

        sae = load(artifacts.get_or_make("sae", key, train))
        return cls(sae, artifact_id("sae", key), tuple(ordinary))

    def means(self, whom: Suspect, texts: Sequence[str]) -> Tensor:
        """[texts, d_sae]: mean latents over each text's ordinary tokens."""
        from saes.features import read_features

        return read_features(self.sae, whom, texts).mean

    def at_last(self, whom: Suspect, texts: Sequence[str]) -> Tensor:
        """[texts, d_sae]: latents at each text's last token, special or not."""
        return self.sae.encode(last_activations(whom, texts, self.sae.hook_name))


def prompts(suspect: Suspect) -> list[str]:
    """Questions about nothing, ordinary things and itself, up to where the reply begins."""
    asked = [*pack("bland")["questions"], *pack("remarks")["questions"]]
    asked += [question for row in rows("direct") for question in row["questions"]]
    named = [q.replace("{assistant}", suspect.assistant or "the assistant") for q in asked]
    return [suspect.render(talk) for talk in framed(suspect, named, None)]


def last_activations(whom: Suspect, texts: Sequence[str], hook_name: str) -> Tensor:
    """[texts, d_model]: activations at each text's last token."""
    import torch

    found = torch.zeros(len(texts), whom.d_model)
    for batch in whom.activations(texts, [hook_name]):
        found[list(batch.rows)] = batch.values[hook_name][:, -1]
    return found


def _written(suspect: Suspect, most: int) -> list[str]:
    """At most so many texts of the reference's own, or of its corpus; seed and order are fixed."""
    reference = suspect.reference
    found = [text.text for text in corpus_texts(reference, most, 0, beside=(suspect,))]
    if not found and Access.PREFILL in reference.access:
        words = pack("openings")
        start = document_start(reference) if Access.CHAT in reference.access else ""
        openings = [start + opening for opening in words["openings"]]
        each = max(1, most // len(openings))
        replies = reference.complete(openings, n=each, max_new_tokens=40)
        found = [o + r.text for o, row in zip(openings, replies, strict=True) for r in row]
    if Access.CHAT in reference.access:
        asked = framed(
            reference, [*pack("bland")["questions"], *pack("remarks")["questions"]], None
        )
        each = 4 if found else max(1, most // len(asked))
        for talk, row in zip(asked, reference.chat(asked, n=each, max_new_tokens=40), strict=True):
            found += [
                reference.render([*talk, {"role": "assistant", "content": r.text}], False)
                for r in row
            ]
    if not found:
        raise TechniqueFailed(
            "the reference writes nothing to train an SAE on",
            hint="Grant chat, prefill or training data.",
        )
    return found


def _train(
    suspect: Suspect,
    ordinary: Sequence[str],
    hook_name: str,
    into: Path,
    *,
    d_sae: int,
    k: float,
    tokens: int,
) -> None:
    """On ordinary tokens, and on the tokens before replies, which are special, as one in twenty."""
    import torch

    from saes.fit import Settings, fit
    from saes.train import collect

    read = collect(suspect.reference, ordinary, hook_name, most=tokens)
    before = last_activations(suspect.reference, prompts(suspect), hook_name)
    times = max(1, round(_PROMPTS_SHARE * len(read) / len(before)))
    activations = torch.cat([read, before.repeat(times, 1)])
    plain = Settings(d_sae=d_sae, k=k, samples=tokens, seed=0)
    settings = dataclasses.replace(plain, batch=min(plain.batch, len(activations), tokens))
    fit(activations, settings, hook_name=hook_name, into=into)
