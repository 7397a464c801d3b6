"""Small parts that every page shares: texts from outside pass here, never through Markdown."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

from workbench.access import Access
from workbench.errors import AccessDenied, BudgetExceeded, WorkbenchError
from workbench.findings import HIT_CONFIDENCE
from workbench.report.evidence import show
from workbench.report.inert import inert_line

WHAT_ACCESS_IS = {
    "chat": "converse with the suspect",
    "prefill": "begin its replies, and let it continue raw text",
    "logits": "read the probabilities of tokens",
    "activations": "read and change what it computes inside",
    "gradients": "differentiate through it",
    "weights": "read its weights",
    "finetune": "train it further",
    "training-data": "read the rows that it was trained on",
    "reference": "ask the model that it was made from",
    "reward": "score replies with the reward model that trained it",
}

SENTENCE = 60
"""Characters beyond which a value is one."""


def safe(text: object) -> str:
    """Any value as one line of inert HTML text."""
    return html.escape(inert_line(str(text)))


def put(markup: str) -> None:
    """Shows HTML that was built from escaped parts."""
    import streamlit as st

    st.html(markup)


def access_chips(
    granted: Access, lacking: str | Mapping[str, str] = "this suspect does not grant it"
) -> str:
    """All access levels, the missing ones struck through, each with what it is or why not."""
    chips = []
    for name in Access.EVERYTHING.names:
        there = Access.parse(name) in granted
        why = lacking if isinstance(lacking, str) else lacking[name]
        title = WHAT_ACCESS_IS[name] if there else f"{WHAT_ACCESS_IS[name]}: {why}"
        spoken = "" if there else f' aria-label="{name}, not granted"'
        chips.append(
            f'<span class="wb-chip{"" if there else " off"}" title="{safe(title)}"{spoken}>'
            f"{name}</span>"
        )
    return f'<div class="wb-chips">{"".join(chips)}</div>'


def confidence(value: float) -> str:
    """A bar with its number and the threshold above which a finding accuses."""
    weak = "" if value > HIT_CONFIDENCE else " weak"
    return (
        f'<span class="wb-bar" title="the probability that what it points to is right">'
        f'<span class="wb-track"><span class="wb-fill{weak}" style="width:{100 * value:.0f}%">'
        f'</span><span class="wb-half"></span></span>{value:.2f}</span>'
    )


def meter(label: str, used: int, bound: int) -> str:
    """What is spent of a bound, as a bar with what is left."""
    share = 100 * min(1.0, used / bound) if bound else 100
    low = " low" if bound - used <= bound / 10 else ""
    return (
        f'<p class="wb-meter{low}"><span>{safe(label)}</span>'
        f"<span>{bound - used:,} of {bound:,} left</span>"
        f'<span class="wb-track" aria-hidden="true"><span class="wb-fill" '
        f'style="width:{share:.0f}%"></span></span></p>'
    )


def counted(n: int, one: str) -> str:
    """A number with its noun, which takes an s."""
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def cut(text: str, most: int = 120) -> str:
    """The beginning of a text, marked where it was cut."""
    return text if len(text) <= most else text[: most - 1] + "…"


def short_hash(value: str) -> str:
    """The first characters of a hash; a click selects all of it, to be copied."""
    title = f"{value}: a click selects all of it"
    return f'<span class="wb-hash" tabindex="0" title="{safe(title)}">{safe(value)}</span>'


def facts(rows: Iterable[tuple[str, str]], *, wide: bool = False) -> str:
    """Label and value (HTML that is safe already) in a grid; a sentence has a row of its own."""
    cells = "".join(
        f"<div{' class=long' if len(value) > SENTENCE and '<' not in value else ''}>"
        f"<dt>{safe(label)}</dt><dd>{value}</dd></div>"
        for label, value in rows
    )
    return f'<dl class="wb-facts{" wide" if wide else ""}">{cells}</dl>'


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A small table of plain values; a head that starts with `>` is a column of numbers."""
    numeric = [head.startswith(">") for head in heads]
    top = "".join(
        f"<th{_n(n)}>{safe(h.lstrip('>'))}</th>" for h, n in zip(heads, numeric, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f"<td{_n(n)}>{_cell(v)}</td>" for v, n in zip(row, numeric, strict=True))
        + "</tr>"
        for row in rows
    )  # fmt: skip
    return (
        f'<div class="wb-scroll" tabindex="0"><table class="wb-table"><thead><tr>{top}</tr>'
        f"</thead><tbody>{body}</tbody></table></div>"
    )


def empty(what: str, then: str) -> None:
    """What would be here, and what fills it."""
    put(f'<div class="wb-note empty"><p>{safe(what)}</p><p class="wb-quiet">{safe(then)}</p></div>')


def failed(error: WorkbenchError, number: str = "") -> None:
    """What happened and what to do; `number` finds it in the log."""
    if isinstance(error, AccessDenied):
        head = "Not granted"
    elif isinstance(error, BudgetExceeded):
        head = "Budget spent"
    else:
        head = "That did not work"
    tail = f'<p class="wb-quiet wb-small">The log knows it as {safe(number)}.</p>' if number else ""
    put(
        f'<div class="wb-note error" role="alert"><p><b>{head}.</b> {safe(error.message)}</p>'
        f'<p class="wb-quiet">{safe(error.hint)}</p>{tail}</div>'
    )


def denied(missing: Access, who: str) -> None:
    """Which access a page lacks, and who could grant it."""
    names = ", ".join(missing.names)
    put(
        f'<div class="wb-note"><p><b>Not granted: {safe(names)}.</b></p>'
        f'<p class="wb-quiet">{safe(who)}</p></div>'
    )


def amounts(values: Mapping[str, int]) -> str:
    """Amounts with their names on one line."""
    return ", ".join(f"{amount:,} {safe(name)}" for name, amount in values.items())


def _n(numeric: bool) -> str:
    return ' class="n"' if numeric else ""


def _cell(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return show(value)
    return safe(value)
