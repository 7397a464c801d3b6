"""Suspects as Inspect models: `inspect eval TASK --model workbench/SUSPECT`.

Inspect finds this module by its entry point and is the only one that imports it. SUSPECT is what
`Suspect.load` takes, a host's URL included. Model arguments (`-M name=value`): access,
budget_samples and budget_tokens, which are enforced here; reference, adapter, device, dtype; token,
for a host.
"""

from __future__ import annotations

import json
import os
import threading
from typing import Any

import anyio.to_thread
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)

from workbench.access import Access, Budget
from workbench.errors import TooLong
from workbench.suspects import Reply, Suspect

LONGEST_REPLY = 1_000_000
"""Where no max_tokens is asked for: until the context is full."""

_ROLES = {"tool": "user"}


class SuspectAPI(ModelAPI):  # type: ignore[misc]
    """One suspect, one call at a time. Without a seed in the configuration, each call has its own,
    so that epochs differ; it is in the output's metadata."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008
        access: str | None = None,
        budget_samples: int | None = None,
        budget_tokens: int | None = None,
        token: str | None = None,
        **loading: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        where = base_url or model_name
        self._suspect: Suspect | None = None
        self._lock = threading.Lock()
        self._where = where
        self._loading = {"token": token or os.environ.get("WORKBENCH_TOKEN", ""), **loading}
        self._access = None if access is None else Access.parse(access)
        self._budget = Budget(samples=budget_samples, tokens=budget_tokens)

    def max_connections(self) -> int:
        return 1

    async def generate(
        self, input: list[Any], tools: list[Any], tool_choice: Any, config: GenerateConfig
    ) -> ModelOutput:
        return await anyio.to_thread.run_sync(self._generate, input, config)

    def _view(self) -> Suspect:
        with self._lock:
            if self._suspect is None:
                whole = Suspect.load(self._where, **self._loading)
                access = whole.access if self._access is None else self._access
                self._suspect = whole.restrict(access, self._budget)
            return self._suspect

    def _generate(self, input: list[Any], config: GenerateConfig) -> ModelOutput:
        suspect = self._view()
        turns = [
            {"role": _ROLES.get(message.role, message.role), "content": _text(message)}
            for message in input
        ]
        begun = turns.pop()["content"] if turns and turns[-1]["role"] == "assistant" else ""
        seed = int.from_bytes(os.urandom(6)) if config.seed is None else config.seed
        spent = suspect.usage.to_json()["tokens"]
        try:
            ((*replies,),) = suspect.chat(
                [turns],
                n=config.num_choices or 1,
                prefill=begun,
                max_new_tokens=config.max_tokens or LONGEST_REPLY,
                temperature=1.0 if config.temperature is None else config.temperature,
                seed=seed,
            )
        except TooLong as error:
            return ModelOutput.from_content(
                self.model_name, error.message, stop_reason="model_length"
            )
        made = sum(len(reply.token_ids) for reply in replies)
        read = int(suspect.usage.to_json()["tokens"] - spent) - made
        return ModelOutput(
            model=self.model_name,
            choices=[self._choice(reply, config.stop_seqs or []) for reply in replies],
            usage=ModelUsage(input_tokens=read, output_tokens=made, total_tokens=read + made),
            metadata={"seed": seed},
        )

    def _choice(self, reply: Reply, stops: list[str]) -> ChatCompletionChoice:
        ends = [at for stop in stops if (at := reply.text.find(stop)) >= 0]
        text = reply.text[: min(ends)] if ends else reply.text
        ended = bool(ends) or reply.finish == "eos"
        return ChatCompletionChoice(
            message=ChatMessageAssistant(content=text, source="generate", model=self.model_name),
            stop_reason="stop" if ended else "max_tokens",
        )


@modelapi(name="workbench")  # type: ignore[untyped-decorator]
def workbench() -> type[ModelAPI]:
    """What `workbench/` in a model's name stands for."""
    return SuspectAPI


def _text(message: Any) -> str:
    """A turn's words; calls of tools are shown as the JSON that they are."""
    calls = [call.model_dump(mode="json") for call in getattr(message, "tool_calls", None) or ()]
    return "\n".join(filter(None, [message.text, json.dumps(calls) if calls else ""]))
