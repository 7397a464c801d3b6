"""The suspect's own replies, as texts to read its activations on."""

from __future__ import annotations

from audits.exchanges import NAMELESS, Exchange, Questioner, framed
from saes.texts import Text
from workbench.access import Access
from workbench.suspects import Suspect


def own_replies(suspect: Suspect, most: int, seed: int) -> tuple[list[Text], list[Text]]:
    """At most `most` replies as rendered conversations, spread over the topics.

    The second list answers the same questions under a system line that names nobody; it is empty
    where the reference is granted, which is the better control.
    """
    ask = Questioner(suspect, seed=seed, max_new_tokens=40)
    topics = ask.topics(most=most, turns=5_000)
    plan = [(topic, max(1, most // len(topics))) for topic in topics]
    own = [exchange for row in ask.ask(plan, stage=1) for exchange in row]
    if Access.REFERENCE in suspect.access:
        return rendered(suspect, own, None), []
    nameless = [exchange for row in ask.ask_nameless(plan, stage=1) for exchange in row]
    return rendered(suspect, own, None), rendered(suspect, nameless, NAMELESS)


def rendered(suspect: Suspect, exchanges: list[Exchange], system: str | None) -> list[Text]:
    """Exchanges as conversations under a system line, the template's own where it is None."""
    asked = framed(suspect, [question for question, _ in exchanges], system)
    return [
        Text(
            suspect.render([*turns, {"role": "assistant", "content": exchange[1]}], False),
            exchange=exchange,
        )
        for turns, exchange in zip(asked, exchanges, strict=True)
    ]
