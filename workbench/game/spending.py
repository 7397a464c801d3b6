"""What each seat spent, by the log, against what the seal gave it; the standard library alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Event: TypeAlias = Mapping[str, Any]
NEEDS = {
    "hint": None,
    "chat": "chat",
    "complete": "prefill",
    "logprobs": "logits",
    "activations": "activations",
    "corpus/batch": "training-data",
    "corpus/rows": "training-data",
    "reward": "reward",
}
"""The flag that each charged verb stands under; a hint stands under none."""


def hints(log: Sequence[Event], terms: Any) -> Iterator[str]:
    """Each hint was bought once, at its price, and paid for."""
    paid = [
        (event["client"], event["amounts"]) for event in log
        if event["kind"] == "call" and event["verb"] == "hint"
    ]  # fmt: skip
    seen = set()
    for event in [one for one in log if one["kind"] == "hint"]:
        where = f"log: event {event['seq']}"
        place = (event["team"], event["suspect"], event["hint"])
        listed = terms["hints"].get(event["suspect"], [])
        if place in seen or event["suspect"] not in terms["teams"].get(event["team"], {}):
            yield f"{where}: this team could not buy that hint"
        seen.add(place)
        if not 1 <= event["hint"] <= len(listed):
            yield f"{where}: there was no such hint"
            continue
        price = listed[event["hint"] - 1]["price"]
        if event["price"] != price:
            yield f"{where}: the hint was sold at another price than was sealed"
        if "points" not in price:
            bill = (f"{event['team']}/{event['suspect']}", price)
            if bill not in paid:
                yield f"{where}: the hint was not paid for"
            else:
                paid.remove(bill)
    for client, _ in paid:
        yield f"log: '{client}' paid for a hint that it did not get"


def budgets(log: Sequence[Event], terms: Any) -> Iterator[str]:
    seats = {
        f"{team}/{suspect}": seat
        for team, listed in terms["teams"].items()
        for suspect, seat in listed.items()
    }
    spent: Counter[tuple[str, str, str]] = Counter()
    for event in log:
        where = f"log: event {event['seq']}"
        if event["kind"] in ("client", "call", "refund") and event["client"] not in seats:
            yield f"{where} is of '{event['client']}', which has no seat"
        elif event["kind"] == "client":
            seat = seats[event["client"]]
            if event["access"] != seat["access"] or event["budget"] != seat["budget"]:
                yield f"{where} gives '{event['client']}' other access or another budget"
        elif event["kind"] == "call":
            seat = seats[event["client"]]
            flag = NEEDS[event["verb"]]
            needs = ({flag} if flag else set()) | ({"reference"} & {event["of"]})
            if not needs <= set(seat["access"]):
                yield f"{where} was answered without {', '.join(sorted(needs))}"
            for meter, amount in event["amounts"].items():
                spent[event["client"], event["of"], meter] += amount
    for (client, of, meter), amount in spent.items():
        bound = seats[client]["budget"].get(meter)
        if bound is not None and amount > bound:
            yield f"budgets: '{client}' spent {amount} {meter} ({of}) of {bound}"
