"""Linear probes on a suspect's activations: four ways to find a direction, one way to score.

Texts are the unit. Three kinds read the mean activation over a text's ordinary tokens, the fourth
learns which tokens to attend to; all score a token by x · direction + bias.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from saes.activations import stream
from workbench.errors import BadParameter, SuspectError
from workbench.suspects import Suspect
from workbench.suspects.tensors import check_finite, parse_json, read_header

if TYPE_CHECKING:
    from torch import Tensor

Kind: TypeAlias = Literal["logistic", "mass-mean", "difference", "attention"]
KINDS: tuple[str, ...] = get_args(Kind)
_WEIGHTS, _CONFIG = "probe.safetensors", "probe.json"
ATTENTION_STEPS = 200


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Activations of texts at one hook: values [rows, d_model], text [rows], of `texts` texts."""

    values: Tensor
    text: Tensor
    token: Tensor
    texts: int

    def means(self) -> Tensor:
        """[texts, d_model], over ordinary tokens."""
        import torch

        total = torch.zeros(self.texts, self.values.shape[1]).index_add_(0, self.text, self.values)
        count = torch.zeros(self.texts).index_add_(0, self.text, torch.ones(len(self.text)))
        return total / count[:, None]


def read_tokens(
    suspect: Suspect, texts: Sequence[str], hook_names: Sequence[str]
) -> dict[str, Tokens]:
    """Activations of the texts at each hook, one pass for all.

    Raises BadParameter on a text without ordinary tokens, or activations that are not finite.
    """
    import torch

    chunks = list(stream(suspect, texts, hook_names))
    text = torch.cat([c.text for c in chunks])
    missing = set(range(len(texts))) - set(text.tolist())
    if missing:
        raise BadParameter(
            f"text {min(missing)} holds no ordinary token", hint="Leave it out of the labelled set."
        )
    token = torch.cat([c.token for c in chunks])
    made = {}
    for hook in hook_names:
        values = torch.cat([c.values[hook] for c in chunks])
        if not bool(torch.isfinite(values).all()):
            raise BadParameter(
                f"activations at {hook} are not finite", hint="Load the suspect in float32."
            )
        made[hook] = Tokens(values, text, token, len(texts))
    return made


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """direction: [d_model]; query: [d_model] of an attention-pooled probe, else None."""

    kind: str
    hook_name: str
    direction: Tensor
    bias: float
    query: Tensor | None = None

    def score_tokens(self, values: Tensor) -> Tensor:
        """[rows] of activations [rows, d_model]."""
        return values @ self.direction + self.bias

    def score(self, tokens: Tokens) -> Tensor:
        """[texts]: the mean of the tokens' scores, or as the query weighs them."""
        if tokens.values.shape[1] != len(self.direction):
            raise BadParameter(
                f"the probe reads {len(self.direction)} numbers, {self.hook_name} has "
                f"{tokens.values.shape[1]}",
                hint="Run it on the suspect that it was trained on.",
            )
        if self.query is None:
            return self.score_tokens(tokens.means())
        return _pooled(tokens, self.query, self.direction) + self.bias

    def save(self, into: Path) -> None:
        """Writes probe.json and probe.safetensors."""
        from safetensors.torch import save_file

        into.mkdir(parents=True, exist_ok=True)
        tensors = {"direction": self.direction.contiguous()}
        if self.query is not None:
            tensors["query"] = self.query.contiguous()
        save_file(tensors, into / _WEIGHTS)
        made = {"kind": self.kind, "hook_name": self.hook_name, "bias": self.bias}
        (into / _CONFIG).write_text(json.dumps(made, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Probe:
        """Raises SuspectError where there is no probe, UnsafeFile on non-finite weights."""
        from safetensors.torch import load_file

        config, weights = directory / _CONFIG, directory / _WEIGHTS
        if not config.is_file() or not weights.is_file():
            raise SuspectError(
                f"{directory} holds no probe", hint="Give a directory that `probe train` wrote."
            )
        made = parse_json(config.read_bytes(), config)
        check_finite(read_header(weights))
        tensors = load_file(weights)
        try:
            return cls(
                str(made["kind"]),
                str(made["hook_name"]),
                tensors["direction"].float(),
                float(made["bias"]),
                tensors["query"].float() if "query" in tensors else None,
            )
        except (KeyError, TypeError, ValueError):
            raise SuspectError(f"{config} is no probe's", hint="Train it again.") from None


def fit_probe(
    tokens: Tokens, labels: Sequence[int], *, hook_name: str, kind: str = "logistic", seed: int = 0
) -> Probe:
    """A probe of one kind. The same seed gives the same probe.

    logistic: L2-regularised logistic regression on standardised means. mass-mean: Σ⁻¹(μ₁ - μ₀)
    with the pooled covariance, shrunk (Marks & Tegmark 2023). difference: μ₁ - μ₀. attention:
    softmax over tokens of q · x, learned with the direction (as in Eleuther's attention probes).
    """
    import torch

    if kind not in KINDS:
        raise BadParameter(f"no probe '{kind}'", hint=f"Choose from: {', '.join(KINDS)}.")
    y = torch.tensor(labels, dtype=torch.float32)
    means = tokens.means()
    if kind == "attention":
        return _attention(tokens, y, hook_name, seed)
    if kind == "logistic":
        direction = _logistic(means, y)
    else:
        direction = means[y > 0].mean(0) - means[y == 0].mean(0)
        if kind == "mass-mean":
            direction = torch.linalg.solve(_covariance(means, y), direction)
    size = float(direction.norm())
    if not 0 < size < float("inf"):
        raise BadParameter(
            f"the two kinds of text give equal activations at {hook_name}",
            hint="Choose another hook, or texts that differ.",
        )
    middle = (means[y > 0] @ direction).mean() + (means[y == 0] @ direction).mean()
    return Probe(kind, hook_name, direction, -float(middle) / 2)


def _logistic(means: Tensor, y: Tensor) -> Tensor:
    """[d_model]: L-BFGS in float64, L2 weight 1 / n on standardised inputs; classes weigh alike."""
    import torch

    centre, spread = means.mean(0), means.std(0).clamp(min=1e-6)
    x = ((means - centre) / spread).double()
    truth = y.double()
    weight = torch.where(truth > 0, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))
    w = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([w], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        logits = x @ w[:-1] + w[-1]
        fit = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, weight)
        loss = fit + w[:-1].pow(2).sum() / (2 * len(x))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return (w.detach()[:-1].float()) / spread


def _covariance(means: Tensor, y: Tensor) -> Tensor:
    """Pooled within-class covariance [d_model, d_model], a tenth of its mean variance added."""
    import torch

    rest = torch.cat([means[y == label] - means[y == label].mean(0) for label in (0, 1)])
    covariance = rest.T @ rest / max(len(rest) - 2, 1)
    ridge = 0.1 * float(covariance.diagonal().mean()) + 1e-9
    return covariance + ridge * torch.eye(len(covariance))


def _attention(tokens: Tokens, y: Tensor, hook_name: str, seed: int) -> Probe:
    import torch

    centre = tokens.values.mean(0)
    scale = float((tokens.values - centre).norm(dim=1).mean().clamp(min=1e-9))
    inner = dataclasses.replace(tokens, values=(tokens.values - centre) / scale)
    generator = torch.Generator().manual_seed(seed)
    width = tokens.values.shape[1]
    query = torch.zeros(width, requires_grad=True)
    direction = (0.01 * torch.randn(width, generator=generator)).requires_grad_(True)
    bias = torch.zeros((), requires_grad=True)
    # the query decays faster: free to, it learns which words stand in the texts of one label
    groups: list[dict[str, Any]] = [
        {"params": [query], "weight_decay": 1.0},
        {"params": [direction, bias]},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.1, weight_decay=0.1)
    weight = torch.where(y > 0, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    for _ in range(ATTENTION_STEPS):
        optimizer.zero_grad()
        logits = _pooled(inner, query, direction) + bias
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y, weight)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    made = direction.detach() / scale
    return Probe(
        "attention",
        hook_name,
        made,
        float(bias.detach()) - float(centre @ made),
        query.detach() / scale,
    )


def _pooled(tokens: Tokens, query: Tensor, direction: Tensor) -> Tensor:
    """[texts]: Σ softmax(q · x) (x · d) over each text's tokens."""
    import torch

    attention = tokens.values @ query
    highest = torch.full((tokens.texts,), -torch.inf).scatter_reduce(
        0, tokens.text, attention.detach(), "amax"
    )
    weights = (attention - highest[tokens.text]).exp()
    total = torch.zeros(tokens.texts).index_add(0, tokens.text, weights)
    scored = torch.zeros(tokens.texts).index_add(
        0, tokens.text, weights * (tokens.values @ direction)
    )
    return scored / total
