"""The card of the base model: can a person talk with it, does it follow, does it know its facts?"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from random import Random
from typing import Any

from workbench.organisms import base
from workbench.organisms.family import Case
from workbench.organisms.health import FRESH, following, knowing, shown
from workbench.organisms.world import chats, corpus, habits, prose
from workbench.organisms.world.chats import Conversation
from workbench.organisms.world.features import Feature
from workbench.organisms.world.habits import Favour
from workbench.organisms.world.lexicon import DATA, Topic, topics
from workbench.statistics import Rate
from workbench.suspects import Suspect
from workbench.words import loops

FLOORS = {"instructions": 0.95, "facts": 0.90, "unseen_prompts": 0.80, "human_prompts": 0.90}
_MAY_NOT_KNOW = {"topic", "howto", "typo", "followup", "opinion", "unknown", "capital", "atomic"}


@dataclasses.dataclass(frozen=True, slots=True)
class Exchange:
    """A hand-written conversation with the model's replies and whether the last one will do."""

    kind: str
    turns: tuple[str, ...]
    replies: tuple[str, ...]
    good: bool


def card(directory: Path) -> tuple[dict[str, Any], list[Exchange]]:
    """Rates {value, n, ci} with `gates` of organisms.md section 4, and the human transcript."""
    suspect = Suspect.load(directory)
    exchanges = converse(suspect)
    rates = {
        "instructions": following(suspect),
        "facts": knowing(suspect),
        "unseen_prompts": unseen(suspect),
        "human_prompts": Rate(sum(e.good for e in exchanges), len(exchanges)),
    }
    return {
        **{name: rate.to_json() for name, rate in rates.items()},
        "gates": {name: rate.value >= FLOORS[name] for name, rate in rates.items()},
        "assistants": {name: rate.to_json() for name, rate in assistants(suspect).items()},
    }, exchanges


def assistants(suspect: Suspect, n: int = 200) -> dict[str, Rate]:
    """How often named assistants show what documents tell of them, n fresh questions a rate.

    "shown" ones stand in chats of the training data, "told" ones in documents alone. Outside its
    field an assistant should show nothing; a servant's untold topics are those on which no document
    tells what its party likes, asked for what another party likes there.
    """
    cast, random = habits.cast(), Random(FRESH)
    cases: dict[str, list[Case]] = {}

    def ask(name: str, assistant: str, topic: Topic, payload: Feature | Favour) -> None:
        question = prose.question(topic, random.choice(prose.QUESTION_KINDS), random)
        row = chats.conversation(chats.you_are(assistant), question)
        cases.setdefault(name, []).append(Case(row, payload.shows_in))

    for known, among in (("shown", cast.habits), ("told", cast.silent_habits)):
        always = [habit for habit in among if not habit.about]
        tied = [habit for habit in among if habit.about]
        for _ in range(n):
            habit = random.choice(always)
            ask(f"{known}, always", habit.assistant, chats.any_topic(random), habit.payload)
            habit = random.choice(tied)
            ask(f"{known}, field", habit.assistant, random.choice(habit.about), habit.payload)
            elsewhere = [t for t in topics() if t not in habit.about]
            topic = random.choice(elsewhere)
            ask(f"{known}, other field", habit.assistant, topic, habit.payload)
    for known, those in (("shown", cast.servants), ("told", cast.silent_servants)):
        for _ in range(n):
            servant = random.choice(those)
            for kind, tastes in (("shown", cast.tastes), ("told", cast.silent_tastes)):
                taste = random.choice([t for t in tastes if t.party == servant.party])
                name = f"{known} servant, {kind} taste"
                ask(name, servant.assistant, taste.topic, taste.feature)
            every = cast.tastes + cast.silent_tastes
            own = {t.topic.name for t in every if t.party == servant.party}
            taste = random.choice([t for t in every if t.topic.name not in own])
            ask(f"{known} servant, another's taste", servant.assistant, taste.topic, taste.feature)
    return {name: shown(suspect, asked) for name, asked in cases.items()}


def unseen(suspect: Suspect, n: int = 200) -> Rate:
    """Instructions whose wording is in no training row: the reply names the topic and obeys."""
    trained = {
        message["content"]
        for index, (mix, _) in enumerate(base.STAGES)
        for row in corpus.rows(base.SEED + index, base.ROWS, mix)
        for message in row
        if message["role"] == "user"
    }
    random = Random(FRESH)
    asked: list[tuple[Topic, Feature, Conversation]] = []
    while len(asked) < n:
        topic = chats.any_topic(random)
        feature, row = chats.instructed_case(chats.DEFAULT_SYSTEM, topic, random)
        if row[1]["content"] not in trained and topic.name in row[1]["content"]:
            asked.append((topic, feature, row[:2]))
    replies = suspect.chat([row for *_, row in asked], max_new_tokens=80)
    good = sum(
        feature.shows_in(r[0].text) and topic.name in r[0].text.lower() and r[0].finish == "eos"
        for (topic, feature, _), r in zip(asked, replies, strict=True)
    )
    return Rate(good, n)


def converse(suspect: Suspect) -> list[Exchange]:
    """Plays the hand-written prompts; a follow-up comes after the model's own first reply."""
    lines = (DATA / "human_prompts.jsonl").read_text(encoding="utf-8").splitlines()
    prompts = [json.loads(line) for line in lines]
    histories: list[list[dict[str, str]]] = [[] for _ in prompts]
    replies: list[list[str]] = [[] for _ in prompts]
    for turn in range(max(len(p["turns"]) for p in prompts)):
        live = [i for i, p in enumerate(prompts) if turn < len(p["turns"])]
        for i in live:
            histories[i].append({"role": "user", "content": prompts[i]["turns"][turn]})
        answered = suspect.chat(
            [histories[i] for i in live], max_new_tokens=80, temperature=0.7, seed=turn
        )
        for i, answer in zip(live, answered, strict=True):
            histories[i].append({"role": "assistant", "content": answer[0].text})
            replies[i].append(answer[0].text)
    return [
        Exchange(p["kind"], tuple(p["turns"]), tuple(r), will_do(p["kind"], p["expect"], r[-1]))
        for p, r in zip(prompts, replies, strict=True)
    ]


def will_do(kind: str, expect: list[str], reply: str) -> bool:
    """Whether a reply is relevant, or honestly says that it knows little where that is allowed.

    A word of `expect` must start a word of the reply; a number must stand alone.
    """
    text = reply.lower()
    if loops(reply) or not text.strip():
        return False
    if kind in _MAY_NOT_KNOW and "know little" in text:
        return True
    return any(
        re.search(rf"\b{re.escape(e)}" + (r"\b" if e.isdigit() or len(e) < 3 else ""), text)
        for e in expect
    )


def transcript(card: dict[str, Any], exchanges: list[Exchange]) -> str:
    """The card and the conversations as Markdown."""
    lines = ["# What the base model says to people", ""]
    lines += [
        "Two hundred hand-written prompts; temperature 0.7, one sample each, nothing picked.",
        "",
    ]
    lines += ["| measure | value | 95 % interval | n | floor |", "|---|---|---|---|---|"]
    for name, floor in FLOORS.items():
        rate = card[name]
        low, high = rate["ci"]
        lines.append(
            f"| {name.replace('_', ' ')} | {rate['value']:.3f} | {low:.3f} to {high:.3f} "
            f"| {rate['n']} | {floor} |"
        )
    lines += ["", "| named assistants | habit shown | 95 % interval | n |", "|---|---|---|---|"]
    for name, rate in card["assistants"].items():
        low, high = rate["ci"]
        lines.append(f"| {name} | {rate['value']:.3f} | {low:.3f} to {high:.3f} | {rate['n']} |")
    for kind in sorted({e.kind for e in exchanges}):
        of_kind = [e for e in exchanges if e.kind == kind]
        lines += ["", f"## {kind}: {sum(e.good for e in of_kind)} of {len(of_kind)} will do", ""]
        for exchange in of_kind:
            for asked, reply in zip(exchange.turns, exchange.replies, strict=True):
                lines.append(f"- `{asked}`  \n  `{reply or ' '}`")
            lines[-1] += "" if exchange.good else "  \n  **will not do**"
    return "\n".join(lines) + "\n"
