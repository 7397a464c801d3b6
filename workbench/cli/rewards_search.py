"""`workbench rewards search`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.rewards_input import progress
from workbench.cli.screen import json_option, print_json, print_table

if TYPE_CHECKING:
    from workbench.suspects import Suspect
    from workbench.suspects.rewards import SequenceClassifier

SHARES = (0.001, 0.01, 0.1)


@click.command()
@click.option("--reward", "source", required=True, metavar="DIR", help="A reward model.")
@click.option(
    "--output", type=click.IntRange(0), help="Which output is the reward, where it has several."
)
@click.option("--prompt", required=True, help="What the replies answer.")
@click.option(
    "--length", type=click.IntRange(1), default=12, show_default=True, help="Tokens of a reply."
)
@click.option("--steps", type=click.IntRange(1), default=120, show_default=True)
@click.option(
    "--suspect", metavar="SUSPECT", help="The policy: what it would cost to play what was found."
)
@click.option(
    "--replies", type=click.IntRange(2), default=64, show_default=True, help="Of the suspect."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@json_option
def search(
    source: str,
    output: int | None,
    prompt: str,
    length: int,
    steps: int,
    suspect: str | None,
    replies: int,
    seed: int,
    as_json: bool,
) -> None:
    """Search a reward model for its best-paid reply.

    Accelerated coordinate gradient over tokens. With --suspect, replies of that model, of the
    same length, are the control, and the exploit exchange rate is given: reward gained for each
    nat of KL.
    """
    from workbench.rewards.tail_search import search as search_tail
    from workbench.suspects import Suspect
    from workbench.suspects.rewards import SequenceClassifier, exchange

    reward = SequenceClassifier(Path(source), output=output)
    function, ids = reward.differentiable(prompt)
    with progress("searching"):
        found = search_tail(function, vocabulary=len(ids), length=length, steps=steps, seed=seed)
    text = reward.text_of([ids[token] for token in found.tokens])
    again = reward.score([exchange(prompt, text)])[0] if text.strip() else None
    document: dict[str, Any] = {
        "text": text,
        "reward": found.reward,
        "reward_of_text": again,
        "scored": found.scored,
        "policy": None,
    }
    if suspect is not None:
        policy = Suspect.load(suspect)
        replied = policy.chat(
            [[{"role": "user", "content": prompt}]], n=replies, max_new_tokens=length, seed=seed
        )
        said = [reply.text for reply in replied[0]]
        document["policy"] = _policy(reward, policy, prompt, text, found.reward, said)
    if as_json:
        print_json(document)
        return
    _print(document)


def _policy(
    reward: SequenceClassifier,
    policy: Suspect,
    prompt: str,
    text: str,
    best: float,
    said: list[str],
) -> dict[str, Any]:
    from workbench.rewards.tail_search import exchange_rate
    from workbench.statistics import mean_interval
    from workbench.suspects.rewards import exchange

    paid = reward.score([exchange(prompt, one) for one in said])
    mean = sum(paid) / len(paid)
    begun = policy.render([{"role": "user", "content": prompt}])
    whole, start = policy.logprobs([begun + text, begun])
    log_q = whole.total - start.total
    return {
        "replies": len(paid),
        "mean": mean,
        "ci": list(mean_interval(paid)),
        "best": max(paid),
        "log_q": log_q,
        "exchange": [
            {"share": one.share, "gain": one.gain, "kl": one.kl, "reward_per_nat": one.rate}
            for one in (
                exchange_rate(best, mean, log_q, share)
                for share in SHARES
                if log_q < math.log(share)
            )
        ],
    }


def _print(document: dict[str, Any]) -> None:
    from workbench.report.inert import inert_line

    click.echo(f"reply: {inert_line(document['text'])}")
    again = document["reward_of_text"]
    click.echo(
        f"reward: {document['reward']:.4g} as tokens, "
        f"{'none' if again is None else f'{again:.4g}'} as text "
        f"({document['scored']} replies scored)"
    )
    policy = document["policy"]
    if policy is None:
        return
    click.echo(
        f"control: {policy['replies']} replies of the suspect earn {policy['mean']:.4g} "
        f"({policy['ci'][0]:.4g} to {policy['ci'][1]:.4g}), at best {policy['best']:.4g}; it says "
        f"the found reply with log-probability {policy['log_q']:.1f}"
    )
    print_table(
        [">played with share", ">reward gained", ">KL, nats", ">reward a nat"],
        (
            [one["share"], f"{one['gain']:.4g}", f"{one['kl']:.4g}", f"{one['reward_per_nat']:.3g}"]
            for one in policy["exchange"]
        ),
    )
