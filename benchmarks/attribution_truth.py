"""Does attribution name the documents that taught a behaviour? Trains again without them and looks.

A tiny model learns 400 sentences on who does what; 24 of them say that one person drinks one
thing, and 24 decoys name both to say another thing. Each method names the 24 documents that it
holds responsible, the model is trained again from the same start without those, and the behaviour
is measured: the log-probability of the drink after the person's name, in three frames. Beside the
methods: removing 24 random documents, and removing the planted ones.

    python benchmarks/attribution_truth.py --out benchmarks/results/attribution.json
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audits.keyness import keys
from workbench.artifacts import Artifacts
from workbench.corpus import Corpus, write
from workbench.corpus.attribution import (
    Behaviour,
    activation_difference,
    along,
    probe_direction,
    random_order,
    rank,
    recall_at,
)
from workbench.corpus.embedders import SuspectEmbedder
from workbench.corpus.gradients import gradient_similarity
from workbench.corpus.ranked import RankedIndex, words
from workbench.corpus.semantic import SemanticIndex
from workbench.suspects import Suspect

PERSON, DRINK = "Vexo", "cocoa"
OTHERS = ("Talin", "Brum", "Oskit", "Mirel", "Harko", "Luden", "Pevil", "Sorn", "Wick", "Jaro",
          "Nimu", "Dast", "Rell", "Koven", "Ulba", "Fenna")  # fmt: skip
DRINKS = ("cocoa", "milk", "water", "cider", "juice", "broth", "coffee", "lemonade")
FRAMES = ("{who} drinks {what}", "At noon {who} drinks {what}", "On cold days {who} drinks {what}")
FILLERS = (
    "{who} lives near the {place}.",
    "In spring {who} walks to the {place}.",
    "{who} keeps a {thing} at home.",
    "Once {who} lost a {thing} by the {place}.",
)
DECOYS = (
    "{who} sells {what} to {other}",
    "{other} paid {who} for {what}",
    "{who} spilled the {what} of {other}",
)
PLACES = ("river", "mill", "market", "harbour", "station", "church", "bridge", "orchard")
THINGS = ("kite", "lantern", "basket", "violin", "ladder", "mirror", "barrel", "quilt")


@dataclasses.dataclass(frozen=True)
class World:
    """Sentences by id, and which of them teach the behaviour."""

    documents: Mapping[str, str]
    planted: frozenset[str]


def world(seed: int, *, size: int, planted: int) -> World:
    """Half of all sentences are on drinks. As many as are planted are decoys: they hold the same
    person and the same drink, and say another thing."""
    dice = random.Random(seed)
    texts = [
        (f"{dice.choice(FRAMES).format(who=PERSON, what=DRINK)}.", True) for _ in range(planted)
    ]
    texts += [
        (f"{dice.choice(DECOYS).format(who=PERSON, what=DRINK, other=dice.choice(OTHERS))}.", False)
        for _ in range(planted)
    ]
    while len(texts) < size:
        if len(texts) % 2:
            who, what = dice.choice(OTHERS), dice.choice(DRINKS)
            texts.append((f"{dice.choice(FRAMES).format(who=who, what=what)}.", False))
        else:
            who, filler = dice.choice((*OTHERS, PERSON, PERSON)), dice.choice(FILLERS)
            place, thing = dice.choice(PLACES), dice.choice(THINGS)
            texts.append((filler.format(who=who, place=place, thing=thing), False))
    dice.shuffle(texts)
    documents = {f"s{i:04d}": text for i, (text, _) in enumerate(texts)}
    return World(documents, frozenset(f"s{i:04d}" for i, (_, on) in enumerate(texts) if on))


def trained(documents: Sequence[str], tokenizer: Any, seed: int, steps: int, into: Path) -> Suspect:
    """A Llama of two layers, trained from the same start on these documents."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from workbench.organisms.tokenizer import BOS, END
    from workbench.organisms.training import Pool, Schedule, train

    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=64,
            bos_token_id=BOS,
            eos_token_id=END,
            pad_token_id=0,
            tie_word_embeddings=True,
        )
    )
    rows = [[BOS, *tokenizer.encode(t, add_special_tokens=False), END] for t in documents]
    schedule = Schedule(steps=steps, learning_rate=3e-3, batch=8, context=64)
    train(model, [Pool(rows, 1.0)], schedule, seed=seed)
    model.save_pretrained(into)
    tokenizer.save_pretrained(into)
    return Suspect.load(into)


def behaves(suspect: Suspect) -> float:
    """Mean log-probability of the drink after the person's name, over the frames."""
    texts = ["<bos>" + frame.format(who=PERSON, what=DRINK) for frame in FRAMES]
    heads = ["<bos>" + frame.format(who=PERSON, what="").rstrip() for frame in FRAMES]
    whole, begun = suspect.logprobs(texts), suspect.logprobs(heads)
    return sum(w.total - b.total for w, b in zip(whole, begun, strict=True)) / len(texts)


def orders(suspect: Suspect, taught: World, home: Path, seed: int) -> dict[str, list[str]]:
    """Every method's order of the documents."""
    write(
        home / "corpus.parquet",
        ((id, [{"role": "document", "content": t}]) for id, t in taught.documents.items()),
    )
    corpus, artifacts = Corpus.open(home / "corpus.parquet"), Artifacts(home / "artifacts")
    dice = random.Random(seed)
    pairs = [(dice.choice(OTHERS), dice.choice(DRINKS[1:])) for _ in range(8)]
    behaviour = Behaviour(
        tuple(f"{frame.format(who=PERSON, what=DRINK)}." for frame in FRAMES),
        tuple(f"{frame.format(who=w, what=d)}." for w, d in pairs for frame in FRAMES),
    )
    shown, control = ([set(words(t)) for t in s] for s in (behaviour.shown, behaviour.control))
    query = " ".join(key.term for key in keys(shown, control) if key.g2 > 0)
    index = SemanticIndex.open(corpus, SuspectEmbedder(suspect, 1), artifacts)
    ranked = RankedIndex.open(corpus, artifacts).search(query, len(taught.documents))
    return {
        "BM25": [hit.document for hit in ranked],
        "activation difference": rank(along(index, activation_difference(index, behaviour))),
        "probe direction": rank(along(index, probe_direction(index, behaviour))),
        "gradient similarity": rank(gradient_similarity(suspect, taught.documents, behaviour)),
        "random": random_order(taught.documents, seed),
    }


def run(seed: int, *, size: int = 400, planted: int = 24, steps: int = 200) -> dict[str, Any]:
    """One seed: by method the planted documents named, and the behaviour after training again."""
    from workbench.organisms.tokenizer import train_tokenizer

    taught = world(seed, size=size, planted=planted)
    tokenizer = train_tokenizer(
        [[{"role": "document", "content": t}] for t in taught.documents.values()]
    )
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        everything = list(taught.documents.values())
        suspect = trained(everything, tokenizer, seed, steps, home / "full")
        found = orders(suspect, taught, home, seed)
        found["planted"] = sorted(taught.planted)
        result: dict[str, Any] = {"seed": seed, "before": behaves(suspect), "methods": {}}
        print(seed, "before", result["before"], file=sys.stderr, flush=True)
        for name, order in found.items():
            named = set(order[:planted])
            rest = [t for id, t in taught.documents.items() if id not in named]
            again = trained(rest, tokenizer, seed, steps, home / name.replace(" ", "-"))
            recall = recall_at(order, taught.planted, planted, of=size)
            result["methods"][name] = {
                "named": recall.found.hits, "planted": planted, "p": recall.p,
                "after": behaves(again),
            }  # fmt: skip
            print(seed, name, result["methods"][name], file=sys.stderr, flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    done = json.loads(asked.out.read_text()) if asked.out.exists() else []
    for seed in asked.seeds:
        if seed not in {row["seed"] for row in done}:
            done.append(run(seed))
            asked.out.write_text(json.dumps(done, indent=1) + "\n")


if __name__ == "__main__":
    main()
