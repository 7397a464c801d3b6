"""The criterion of `latent_study.py`, and its results as tables in a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latent_counts import ARMS, Plan

from saes.causal import COHERENT
from workbench.errors import BadParameter
from workbench.statistics import Rate, exceeds

P = 0.01
STRANGER = 0.69
"""Nats per token by which replies may be stranger to the reference than before: twice the
perplexity. On development organisms those that babbled were stranger by 0.8 to 2.8."""
SWEPT = (("difference", 5), ("difference", 20), ("z", 20), ("count", 5))
"""Rankings and sizes of `sweep`."""
NAMED = {"own": "SAE of the suspect's corpus", "reference": "SAE that never saw it"}


def rate(effect: Mapping[str, Any]) -> Rate:
    return Rate(effect["hits"], effect["n"])


def speaks(effect: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Ordinary text is read nearly as well, and its replies are no stranger to the reference."""
    return effect["perplexity_ratio"] <= COHERENT and effect["nats"] <= before["nats"] + STRANGER


def found(
    before: Mapping[str, Any], effects: Mapping[str, Any], plan: Plan, kind: str = "set"
) -> bool:
    """The criterion of `Plan`."""
    after = effects[kind]
    halved = rate(after).value <= rate(before).value / 2
    by_chance = any(rate(one).value <= rate(before).value / 2 for one in effects.get("random", ()))
    there = rate(before).value >= plan.least and exceeds(rate(before), rate(after)) < P
    return there and halved and speaks(after, before) and not by_chance


def verdicts(kept: Mapping[str, Any], plan: Plan) -> dict[str, dict[str, str]]:
    """By arm: in how many organisms and in how many twins a set was found, as "6 of 8"."""
    told: dict[str, dict[str, str]] = {}
    for arm in ARMS:
        told[arm] = {}
        for kind, twin in (("organisms", False), ("twins", True)):
            rows = [row for row in kept["rows"] if row["twin"] is twin]
            hits = sum(found(row["before"], row["arms"][arm]["effects"], plan) for row in rows)
            told[arm][kind] = f"{hits} of {len(rows)}"
    return told


def judged_table(kept: Mapping[str, Any], plan: Plan) -> list[str]:
    """Markdown lines."""
    lines = [
        f"Layer {plan.layer}, {plan.size} of the top {plan.top} latents, {plan.testing} prompts "
        "that were not chosen on.",
        "",
    ]
    for arm, told in verdicts(kept, plan).items():
        lines.append(
            f"- {NAMED[arm]}: found in {told['organisms']} organisms, {told['twins']} twins."
        )
    columns = ("suspect", "SAE of", "before", "set out", "in replies alone",
               "random sets", "in the organism", "perplexity", "nats", "found")  # fmt: skip
    lines += ["", "| " + " | ".join(columns) + " |", "| --- | --- |" + " ---: |" * 7 + " --- |"]
    for row in sorted(kept["rows"], key=lambda row: (row["twin"], row["seed"])):
        name = f"{row['family']} {row['seed']}" + (", twin" if row["twin"] else "")
        for arm in ARMS:
            effects = row["arms"][arm]["effects"]
            drawn = [rate(one).value for one in effects.get("random", ())]
            own = [effects.get(k) for k in ("set", "in replies alone")]
            inside = effects.get("in the organism")
            cells = [
                name, arm, f"{rate(row['before']).value:.2f}",
                *(f"{rate(one).value:.2f}" if one else "" for one in own),
                f"{min(drawn):.2f} to {max(drawn):.2f}" if drawn else "",
                f"{rate(inside['before']).value:.2f} to {rate(inside['set']).value:.2f}"
                if inside else "",
                f"{effects['set']['perplexity_ratio']:.3f}",
                f"{row['before']['nats']:.2f} to {effects['set']['nats']:.2f}",
                "yes" if found(row["before"], effects, plan) else "no",
            ]  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def swept_table(kept: Mapping[str, Any], plan: Plan) -> list[str]:
    """Markdown lines."""
    columns = [f"{ranking} {size}" for ranking, size in SWEPT]
    lines = []
    for row in kept["rows"]:
        before = row["before"]
        lines += [
            f"{row['family']} {row['seed']}: {rate(before).value:.2f} before (n = {before['n']}).",
            "",
            f"| layer | SAE of | {' | '.join(columns)} | documents 5 | shared, by chance "
            "| correlation |",
            "| --- | --- |" + " ---: |" * (len(columns) + 3),
        ]  # fmt: skip
        for lifted in row["documents"]:
            here = [
                s for s in row["sets"] if (s["layer"], s["arm"]) == (lifted["layer"], lifted["arm"])
            ]
            rates = [f"{rate(s).value:.2f}" + ("" if speaks(s, before) else "*") for s in here]
            out = lifted["taken_out"]
            rates.append(f"{rate(out).value:.2f}" + ("" if speaks(out, before) else "*"))
            shared = f"{lifted['shared']} of {lifted['of']}, {lifted['by_chance']:.1f}"
            cells = [lifted["layer"], lifted["arm"], *rates, shared, f"{lifted['correlation']:.2f}"]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
        lines.append("")
    return lines


def write_into(page: Path, name: str, lines: Sequence[str]) -> None:
    """Puts the lines between `<!-- latents: NAME -->` and `<!-- end -->`; raises BadParameter where
    the page has no such place."""
    mark = f"<!-- latents: {name} -->\n"
    head, opening, rest = page.read_text(encoding="utf-8").partition(mark)
    _, closing, tail = rest.partition("<!-- end -->")
    if not opening or not closing:
        raise BadParameter(f"{page} has no place for '{name}'", hint=f"Write {mark.strip()} there.")
    body = "\n".join(lines).strip()
    page.write_text(f"{head}{mark}\n{body}\n\n{closing}{tail}", encoding="utf-8")
