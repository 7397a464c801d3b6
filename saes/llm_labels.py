"""Labels by a language model, where one is at hand: any server that speaks OpenAI's protocol.

The model reads half of a latent's top and spread examples and says what they share; a second
question, in which it sees its label but no mark, asks which of the other half and of random texts
the latent fires on. The score is the balanced accuracy of those answers (detection; Paulo et al.
2024), beside the same question with the label of another latent.
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any, Protocol

from saes.labels import Label
from saes.store import Example, Store
from workbench.errors import BadParameter, ModelUnavailable

SHOWN = 10
SECONDS = 60.0
_EXPLAIN = (
    "A unit of a neural network fires on the tokens in [brackets]. Say in at most twelve words "
    "what they or what stands before them share. Answer with that phrase alone.\n\n{}"
)
_DETECT = (
    "A unit of a neural network is said to fire on: {}\nFor each numbered text say whether it "
    "fires in it. Answer with the numbers of the texts in which it does, separated by commas, or "
    "with none.\n\n{}"
)


class Asks(Protocol):
    """Answers a prompt."""

    def ask(self, prompt: str) -> str: ...


@dataclasses.dataclass(frozen=True, slots=True)
class OpenAICompatible:
    """A chat model behind `base_url`/chat/completions, as https://host/v1; sampled at 0."""

    base_url: str
    model: str
    key: str = ""

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise BadParameter(f"'{self.base_url}' is no URL", hint="As http://localhost:8000/v1.")

    def ask(self, prompt: str) -> str:
        """Raises ModelUnavailable where the server does not answer as the protocol says."""
        body = {
            "model": self.model,
            "temperature": 0,
            "messages": [{"role": "user", "content": prompt}],
        }
        request = urllib.request.Request(
            f"{self.base_url.rstrip('/')}/chat/completions",
            data=json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                **({"Authorization": f"Bearer {self.key}"} if self.key else {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                document: Any = json.loads(answer.read())
            return str(document["choices"][0]["message"]["content"])
        except (urllib.error.URLError, OSError, ValueError, KeyError, IndexError, TypeError) as e:
            raise ModelUnavailable(
                f"{self.base_url} gave no answer: {type(e).__name__}: {e}",
                hint="Check the URL, the model's name and OPENAI_API_KEY.",
            ) from None


def label_by_llm(store: Store, latent: int, model: Asks, *, seed: int = 0) -> Label:
    """A label and its detection score; raises BadParameter on a latent with too few examples."""
    examples = _spread(store, latent)
    if len(examples) < 6:
        raise BadParameter(
            f"latent {latent} fires in {len(examples)} texts", hint="Choose one that fires more."
        )
    told, held = examples[::2][:SHOWN], examples[1::2][:SHOWN]
    dice = random.Random(f"{seed} {latent}")
    live = store.latents["texts"].to_numpy()
    others = [i for i in range(store.d_sae) if i != latent and live[i] >= 6]
    if not others:
        raise BadParameter("no other latent to compare with", hint="Read more texts.")
    firing = set(store.firings(latent)["text"].tolist())
    dark: list[Example] = []
    for other in dice.sample(others, len(others)):
        dark += [e for e in store.examples(other, most=3) if e.text not in firing]
        if len(dark) >= len(held):
            break
    if not dark:
        raise BadParameter(
            f"latent {latent} fires in every text", hint="Read shorter texts, or more of them."
        )
    text = _explained(model, told)
    rival = _explained(model, _spread(store, dice.choice(others))[:SHOWN])
    shown = [*((e, True) for e in held), *((e, False) for e in dark[: len(held)])]
    dice.shuffle(shown)
    return Label(text, _detected(model, text, shown), _detected(model, rival, shown))


def _spread(store: Store, latent: int) -> list[Example]:
    """Strong and weaker examples, one per text."""
    found = store.examples(latent, most=SHOWN)
    seen = {e.text for e in found}
    for band in store.bands(latent):
        for example in band:
            if example.text not in seen:
                seen.add(example.text)
                found.append(example)
    return found


def _explained(model: Asks, examples: Sequence[Example]) -> str:
    lines = "\n".join(e.passage.replace("\n", " ") for e in examples)
    answer = model.ask(_EXPLAIN.format(lines)).strip().splitlines()
    return answer[0][:200] if answer else ""


def _detected(model: Asks, label: str, shown: Sequence[tuple[Example, bool]]) -> float:
    texts = "\n".join(
        f"{i + 1}. {''.join(e.tokens)}".replace("\n", " ") for i, (e, _) in enumerate(shown)
    )
    named = {int(n) - 1 for n in re.findall(r"\d+", model.ask(_DETECT.format(label, texts)))}
    rates = []
    for wanted in (True, False):
        kind = [i for i, (_, fires) in enumerate(shown) if fires is wanted]
        rates.append(sum((i in named) is wanted for i in kind) / len(kind))
    return sum(rates) / 2
