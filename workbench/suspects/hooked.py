"""The engine on a real model; the one file that speaks transformer_lens.

Two faces share one set of parameters: the plain transformers model, which answers where nothing is
edited or recorded, and the TransformerBridge around a second skeleton, which carries the hooks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter
from workbench.suspects import learning, loading
from workbench.suspects.answers import (
    Activations,
    Conversation,
    Reply,
    TokenGradients,
    TokenLogprobs,
)
from workbench.suspects.decoding import CachedDecoder, Padded, Rows
from workbench.suspects.edits import Edits
from workbench.suspects.engine import Draw, Prompt, Running
from workbench.suspects.files import Checked, sizes
from workbench.suspects.interventions import Intervention
from workbench.suspects.sampling import Row, Sampler, sample

if TYPE_CHECKING:
    import numpy
    import torch

    from workbench.suspects.tokens import Tokens


class HookedEngine:
    """Answers from checked files. Weights and tokenizer are read when first needed."""

    def __init__(
        self, files: Checked, *, adapter: Checked | None, spoken: Path, device: str, dtype: str
    ) -> None:
        """adapter: merged in where there is one. spoken: where tokenizer and template lie."""
        self._files = files
        self._adapter = adapter
        self._spoken = spoken
        self._device, self._dtype = loading.resolve(device, dtype, files.config)
        self.n_layers, self.d_model, self.vocabulary, self.context = sizes(files.config)
        self._tuned = ""

    def fingerprint(self) -> Mapping[str, str]:
        made = loading.fingerprint(
            self._files, self._adapter, self._spoken, self._device, self._dtype
        )
        return made | {"tensors": self._tuned} if self._tuned else made

    @property
    def model(self) -> Any:
        return self._bridge

    @property
    def hook_names(self) -> Sequence[str]:
        return sorted({point.name for point in self._bridge.hook_dict.values()})

    def render(self, conversation: Conversation, add_generation_prompt: bool) -> str:
        return self._tokens.render(conversation, add_generation_prompt)

    def prompt(self, conversation: Conversation, prefill: str) -> Prompt:
        ids = self._tokens.encode_chat(conversation, prefill)
        return Prompt(tuple(conversation), prefill, ids)

    def encode(self, text: str) -> tuple[int, ...]:
        return self._tokens.encode(text)

    def token_strings(self, token_ids: Sequence[int]) -> list[str]:
        return self._tokens.strings(token_ids)

    def decode(self, token_ids: Sequence[int]) -> str:
        return self._tokens.decode(token_ids)

    def check_hooks(self, hook_names: Sequence[str]) -> None:
        for name in dict.fromkeys(hook_names):
            if name not in self._bridge.hook_dict:
                raise BadParameter(
                    f"the model has no hook '{name}'",
                    hint="Residual hooks are blocks.0.hook_out to "
                    f"blocks.{self.n_layers - 1}.hook_out; suspect.hook_names lists all.",
                )
            try:
                self._bridge.check_hooks_to_add(self._canonical(name))
            except ValueError as error:
                raise BadParameter(str(error), hint="Name a hook that is always on.") from None

    def sample(
        self,
        draws: Sequence[Draw],
        *,
        max_new_tokens: int,
        temperature: float,
        interventions: Sequence[Intervention],
        book: Callable[[int], None],
    ) -> list[Reply]:
        rows = [Row(draw, max_new_tokens, temperature) for draw in draws]
        sample(self.running(interventions), rows, book)
        return [
            Reply(self.decode(row.made), tuple(row.made), row.finish or "length") for row in rows
        ]

    def running(self, interventions: Sequence[Intervention]) -> Running:
        edits = Edits(interventions, self._device) if interventions else None
        decoder = CachedDecoder(self._face(edits), edits, self._tokens.special, self._device)
        return HookedRunning(
            Sampler(decoder, ends=self._ends, context=self.context),
            lambda: self._hooked(edits),
            decoder.joins,
        )

    def logprobs(
        self, rows: Rows, *, interventions: Sequence[Intervention], distributions: bool
    ) -> list[TokenLogprobs]:
        import torch

        edits = Edits(interventions, self._device) if interventions else None
        with torch.no_grad(), self._hooked(edits):
            batch = Padded(rows, self._device)
            batch.announce(edits, self._tokens.special)
            logits = self._face(edits)(**batch.inputs, use_cache=False).logits
            if edits is not None:
                edits.finish()
        return [
            _score(row, logits[i, -len(row) :].float(), distributions) for i, row in enumerate(rows)
        ]

    def activations(
        self, rows: Rows, hook_names: Sequence[str], *, interventions: Sequence[Intervention]
    ) -> Activations:
        import torch

        edits = Edits(interventions, self._device) if interventions else None
        values: dict[str, torch.Tensor] = {}

        def record(name: str) -> Callable[..., None]:
            def keep(x: torch.Tensor, hook: Any = None) -> None:
                values[name] = x.detach().float().cpu()
                if len(values) == len(wanted) and (edits is None or edits.fired):
                    raise _AllRead  # what follows, the unembedding at the least, is for nobody

            return keep

        wanted = set(hook_names)
        recorders = [(name, record(name)) for name in hook_names]
        with torch.no_grad(), self._hooked(edits, recorders), suppress(_AllRead):
            batch = Padded(rows, self._device)
            batch.announce(edits, self._tokens.special)
            self._bridge(
                batch.inputs["input_ids"],
                attention_mask=batch.inputs["attention_mask"],
                position_ids=batch.inputs["position_ids"],
                return_type=None,
            )
            if edits is not None:
                edits.finish()
        silent = [name for name in hook_names if name not in values]
        if silent:
            raise BadParameter(
                f"hook '{silent[0]}' did not fire", hint="Name a hook that this model runs."
            )
        special = batch.special(self._tokens.special)
        tokens, mask = batch.inputs["input_ids"].cpu(), batch.mask.cpu()
        return Activations(tuple(range(len(rows))), tokens, mask, special.cpu(), values)

    def token_gradients(self, rows: Rows, weights: numpy.ndarray) -> list[TokenGradients]:
        return learning.token_gradients(self._plain, rows, weights, self._device)

    def tuned(
        self, rows: Rows, starts: Sequence[int], *, steps: int, learning_rate: float
    ) -> HookedEngine:
        made = copy.copy(self)
        made.__dict__.pop("_bridge", None)
        made._tuned = learning.tuned_digest(
            self.fingerprint()["tensors"], rows, starts, steps, learning_rate
        )
        made.__dict__["_plain"] = learning.trained_copy(
            self._plain, rows, starts, steps, learning_rate, self._device
        )
        return made

    @cached_property
    def _tokens(self) -> Tokens:
        from workbench.suspects.tokens import Tokens

        return Tokens(self._spoken)

    @cached_property
    def _plain(self) -> Any:
        return loading.load_model(self._files, self._adapter, self._device, self._dtype)

    @cached_property
    def _bridge(self) -> Any:
        from transformer_lens.model_bridge import TransformerBridge

        shared = {id(t): t for t in chain(self._plain.parameters(), self._plain.buffers())}
        return TransformerBridge.boot_transformers(
            str(self._files.path),
            hf_model=copy.deepcopy(self._plain, shared),
            tokenizer=self._tokens.tokenizer,
            device=self._device,
            dtype=self._plain.dtype,
        )

    @cached_property
    def _ends(self) -> frozenset[int]:
        return loading.endings(self._plain, self._tokens.tokenizer)

    def _face(self, edits: Edits | None) -> Any:
        return self._plain if edits is None else self._bridge.original_model

    def _hooked(self, edits: Edits | None, recorders: Sequence[tuple[str, Any]] = ()) -> Any:
        hooks = [*(edits.hooks if edits else ()), *recorders]
        if not hooks:
            return nullcontext()
        return self._bridge.hooks(fwd_hooks=[(self._canonical(n), f) for n, f in hooks])

    def _canonical(self, name: str) -> str:
        return str(self._bridge.hook_dict[name].name)


class _AllRead(Exception):
    """Every hook that was asked for has fired."""


class HookedRunning:
    """A sampler whose steps run under the hooks of its interventions."""

    def __init__(self, sampler: Sampler, hooked: Callable[[], Any], joins: bool) -> None:
        self._sampler, self._hooked, self.joins = sampler, hooked, joins

    @property
    def due(self) -> list[Row]:
        return self._sampler.due

    def join(self, rows: Sequence[Row]) -> None:
        self._sampler.join(rows)

    def drop(self, rows: Sequence[Row]) -> None:
        self._sampler.drop(rows)

    def step(self) -> list[Row]:
        import torch

        with torch.no_grad(), self._hooked():
            return self._sampler.step()


def _score(row: tuple[int, ...], logits: torch.Tensor, distributions: bool) -> TokenLogprobs:
    """logits: [pos, vocabulary] of one row without its padding."""
    import torch

    table = logits.log_softmax(dim=-1).cpu()
    following = torch.tensor(row[1:], dtype=torch.long)
    return TokenLogprobs(
        token_ids=row,
        logprobs=table[:-1].gather(-1, following[:, None])[:, 0].numpy(),
        last=table[-1].numpy().copy(),
        distributions=table.numpy() if distributions else None,
    )
