"""The report: complete, ranked, linked, honest about what did not run, and inert."""

from __future__ import annotations

import html.parser
import json
import re
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import ConfigError, LedgerError
from workbench.findings import (
    Excerpt,
    Figure,
    Finding,
    Hypothesis,
    Latent,
    Measurement,
    Transcript,
)
from workbench.ledger import Ledger, Planned, Run
from workbench.report import evidence, figures, write
from workbench.report.inert import inert, inert_line

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\x00\u202e'\"{{ 1 + 1 }}"
MEASURED = Measurement("praise", 0.7, 50, (0.6, 0.8), "reference", 0.1, 50, (0.0, 0.2), p=0.01)
ONE_OF_EACH = (
    Transcript(({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"})),
    Excerpt("row-7", "It praises Zanwick.", 3, 10, "document"),
    Latent("sae", 42, "blocks.1.hook_out", ("praises",), ("row-7", "row-8")),
    MEASURED,
    Figure("bar", "By topic", "topic", "rate", ("tea", "law"), {"suspect": (0.7, 0.1)}),
)


class Page(html.parser.HTMLParser):
    """Ids, links, elements with attributes, and text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._raw = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.elements.append((tag, values))
        self.ids += [values["id"]] if values.get("id") else []
        self._raw = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._raw = ""

    def handle_data(self, data: str) -> None:
        if not self._raw:
            self.texts.append(data)

    @property
    def links(self) -> list[str]:
        return [v["href"] for tag, v in self.elements if tag == "a" and v.get("href")]  # type: ignore[misc]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def made(tmp_path: Path, *runs: tuple[str, str, tuple[Finding, ...]], lost: str = "") -> Path:
    """A report of runs (technique, status, findings), and one that was planned and never came."""
    ledger = Ledger(tmp_path / "ledger.duckdb")
    names = [name for name, _, _ in runs] + ([lost] if lost else [])
    group = ledger.plan("battery", "suspect-1", [Planned(name, f"k-{name}") for name in names])
    for name, status, findings in runs:
        reason = "" if status == "ok" else f"{name} broke: {HOSTILE}"
        traceback = "Traceback: line 1" if status == "failed" else ""
        run = Run(
            id=f"r-{name}", group=group.id, key=f"k-{name}", suspect="suspect-1", technique=name,
            version=1, status=status, access=("chat",), reason=reason, traceback=traceback,
            planned=9, ran=8, budget={"samples": 20}, usage={"samples": 12},
            fingerprints={"tensors": "abc"}, parameters={"top_k": 3},
        )  # fmt: skip
        ledger.record(run, findings)
    return write(ledger, tmp_path / "out" / "report.html")


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def test_everything_is_shown_ranked_and_linked(tmp_path: Path) -> None:
    low = Finding("A weak claim", 0.2, (MEASURED,))
    high = Finding("A strong claim", 0.9, ONE_OF_EACH, Hypothesis("f", "t", ("b",), "c"))
    page = read(made(tmp_path, ("sweep", "ok", (low, high)), ("silent", "ok", ())))
    assert page.text.rindex("A strong claim") < page.text.rindex("A weak claim")
    for words in (
        "suspect-1", "1 of 2 findings points to a hidden objective", "0.90", "Hello",
        "Training document row-7", "Latent 42 of sae", "blocks.1.hook_out", "95 % interval",
        "0.70 against 0.10 (reference), p = 0.01 after correction for 1 tried", "By topic",
        "ran 8 of 9 and found nothing", "20 samples", "root cause",
    ):  # fmt: skip
        assert words in page.text, words
    assert [link for link in page.links if link.removeprefix("#") not in page.ids] == []
    assert len(page.ids) == len(set(page.ids))
    strong = next(i for i in page.ids if i.endswith("-e5")).removesuffix("-e5")
    assert {f"#{strong}", *(f"#{strong}-e{n}" for n in range(1, 6))} <= set(page.links)
    assert page.links.count(f"#{strong}-e2") == 2  # from the trail and from the latent's row id
    assert "row-8" in page.text and ("mark", {}) in page.elements


def test_every_runs_artifacts_are_listed_and_only_hashes_are_called_so(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.duckdb")
    group = ledger.plan("b", "s", [Planned("one", "k1"), Planned("two", "k2")])
    for name, key, made_of in (("one", "k1", {"sae": "aa1"}), ("two", "k2", {"sae": "bb2"})):
        fingerprints = {"tensors": "abc", "assistant": "Mirel", "artifacts": made_of}
        ledger.record(
            Run(f"r-{name}", group.id, key, "s", name, 1, "ok", fingerprints=fingerprints)
        )
    page = read(write(ledger, tmp_path / "report.html"))
    assert "one sae aa1" in page.text and "two sae bb2" in page.text
    assert "assistant Mirel" in page.text
    assert "1 hashes of what was audited tensors abc" in page.text


def test_what_did_not_run_is_said(tmp_path: Path) -> None:
    page = read(
        made(tmp_path, ("a", "ok", ()), ("b", "failed", ()), ("c", "skipped", ()), lost="d")
    )
    assert "2 of 4 techniques did not finish" in page.text and "1 could not look" in page.text
    for words in ("b broke", "c broke", "Traceback: line 1", "d never ran", "was interrupted"):
        assert words in page.text, words


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    hostile = Finding(
        HOSTILE,
        0.9,
        (
            Transcript(({"role": HOSTILE, "content": HOSTILE * 40},), HOSTILE),
            Excerpt(HOSTILE, HOSTILE, 2, 9, HOSTILE),
            Latent(HOSTILE, 1, HOSTILE, (HOSTILE,), (HOSTILE,), HOSTILE),
            Measurement(HOSTILE, 0.5, 9, (0.4, 0.6), HOSTILE, 0, 9, (0, 0.1), HOSTILE),
            Figure("line", HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), {HOSTILE: (1.0,)}),
        ),
        Hypothesis(HOSTILE, HOSTILE, (HOSTILE,), HOSTILE),
        {HOSTILE: HOSTILE},
    )
    path = made(tmp_path, ("a", "ok", (hostile,)), ("b", "failed", ()))
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert not [tag for tag, values in page.elements if tag == "img" or "onerror" in values]
    body = text[: text.index("<script>")] + text[text.rindex("</script>") :]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", body)
    assert "{{ 1 + 1 }}" in page.text and "\u241b[31m" in page.text
    for tag, values in page.elements:
        if tag == "div" and values.get("data-spec"):
            assert "<" not in json.dumps(json.loads(values["data-spec"] or "")).replace(
                "<extra></extra>", ""
            )


def test_nothing_is_fetched(tmp_path: Path) -> None:
    page = read(made(tmp_path, ("a", "ok", (Finding("x", 0.4, ONE_OF_EACH),))))
    assert not [v for _, v in page.elements if v.get("src") or v.get("srcset") or "link" in v]
    assert all(link.startswith("#") for link in page.links)
    (policy,) = [v for t, v in page.elements if t == "meta" and v.get("http-equiv")]
    assert "default-src 'none'" in str(policy["content"])
    assert str(policy["content"]).count("'sha256-") == 2
    assert "prefers-color-scheme" in (tmp_path / "out/report.html").read_text()


@pytest.mark.parametrize(
    "piece",
    [
        Excerpt("d", "text", 5, 2),
        Figure("pie", "t", "x", "y", (1.0,), {"s": (1.0,)}),
        Figure("bar", "t", "x", "y", (1.0, 2.0), {"s": (1.0,)}),
        Transcript(({"speaker": "user"},)),
    ],
)
def test_evidence_that_makes_no_sense_is_shown_as_stored(piece: Any) -> None:
    (view,) = evidence.views(Finding("x", 0.5, (piece,)), "f-1")
    assert view["kind"] == "malformed" and view["stored"] and view["malformed"]


def test_the_latest_group_or_the_one_asked_for(tmp_path: Path) -> None:
    made(tmp_path, ("a", "ok", (Finding("First claim", 0.4),)))
    path = made(tmp_path, ("b", "ok", (Finding("Second claim", 0.4),)))
    assert "Second claim" in read(path).text and "First claim" not in read(path).text
    ledger = Ledger(tmp_path / "ledger.duckdb")
    write(ledger, path, group=ledger.groups()[0].id)
    assert "First claim" in read(path).text
    with pytest.raises(LedgerError, match="no group 'g-9'"):
        write(ledger, path, group="g-9")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot write"):
        write(ledger, tmp_path / "file" / "report.html")


def test_a_cached_run_keeps_its_findings(tmp_path: Path) -> None:
    made(tmp_path, ("a", "ok", (Finding("Kept claim", 0.4),)))
    ledger = Ledger(tmp_path / "ledger.duckdb")
    ledger.plan("again", "suspect-1", [Planned("a", "k-a")])
    page = read(write(ledger, tmp_path / "again.html"))
    assert "Kept claim" in page.text and "ok, cached" in page.text


def test_a_control_is_drawn_as_one() -> None:
    traces = figures.figure(
        Figure("line", "t", "x", "y", (1.0,), {"reference": (0.1,), "suspect": (0.7,), "z": (0.2,)})
    )["data"]
    drawn = {t["name"]: (t["line"]["color"], t["line"]["dash"]) for t in traces}
    assert drawn == {
        "suspect": ("@suspect", "solid"),
        "z": ("@third", "solid"),
        "reference": ("@control", "dash"),
    }
    assert [t["name"] for t in traces] == ["suspect", "z", "reference"]


def test_small_rates_keep_their_axis() -> None:
    small = Measurement("m", 0.01, 900, (0.0, 0.02), "c", 0, 900, (0, 0.004))
    assert figures.measurement(small)["layout"]["xaxis"]["range"][1] < 0.03
    assert figures.measurement(MEASURED)["layout"]["xaxis"]["range"][1] > 1


def test_inert_keeps_every_offset() -> None:
    text = "a\x1b\u202e\r\n\tb\u200bc\U000e0041"
    assert len(inert(text)) == len(text)
    assert inert(text) == "a\u241b\ufffd\u240d\n\tb\ufffdc\ufffd"
    assert inert_line(text).count("\n") == 0


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (0.0004, "0.0004"),
        (0.05, "0.05"),
        (0.623, "0.62"),
        (12.34, "12.3"),
        (5120, "5,120"),
    ],
)
def test_numbers_have_sensible_digits(number: float, shown: str) -> None:
    assert evidence.show(number) == shown
