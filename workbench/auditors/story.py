"""An auditor's log, told as a story: what was done, why, what came of it, what is believed now."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from workbench.findings import JSON, clean_text

Listener = Callable[[str], None]
"""Called with each line as it is told."""

LONGEST_LINE = 2_000


@dataclasses.dataclass(frozen=True, slots=True)
class Chapter:
    """A heading, the lines below it, and data for programs."""

    title: str
    lines: list[str] = dataclasses.field(default_factory=list)
    data: dict[str, JSON] = dataclasses.field(default_factory=dict)


class Story:
    """Chapters in the order in which they were told. Lines quote suspects: print them inert."""

    def __init__(self, listener: Listener = lambda line: None) -> None:
        self.chapters: list[Chapter] = []
        self._listener = listener

    def chapter(self, title: str, **data: JSON) -> None:
        """Begins a chapter."""
        self.chapters.append(Chapter(_line(title), data=dict(data)))
        self._listener(self.chapters[-1].title)

    def tell(self, text: str) -> None:
        """Adds a line to the chapter that was begun last."""
        if not self.chapters:
            self.chapters.append(Chapter("Beginning"))
        self.chapters[-1].lines.append(_line(text))
        self._listener(f"  {self.chapters[-1].lines[-1]}")

    def odds(self, rivals: Sequence[tuple[str, float]]) -> None:
        """Adds what is believed now: each hypothesis in words with its probability."""
        told = "; ".join(f"{share:.2f} {words}" for words, share in rivals)
        self.tell(f"I now believe: {told}.")
        self.chapters[-1].data["odds"] = [[words, round(share, 4)] for words, share in rivals]

    def markdown(self) -> str:
        """The whole of it."""
        from workbench.report.inert import inert_line

        parts = []
        for chapter in self.chapters:
            parts.append(f"## {inert_line(chapter.title)}\n")
            parts.append("".join(f"{_escaped(inert_line(line))}\n\n" for line in chapter.lines))
        return "# The audit\n\n" + "\n".join(parts).rstrip() + "\n"

    def to_json(self) -> list[Mapping[str, JSON]]:
        """A list of {title, lines, data}."""
        return [{"title": c.title, "lines": list(c.lines), "data": c.data} for c in self.chapters]


def _line(text: str) -> str:
    return " ".join(clean_text(text, LONGEST_LINE).split())


def _escaped(line: str) -> str:
    """Text as Markdown that stays text: no tags, no links, no headings."""
    for mark in "\\`*_[]<>|#":
        line = line.replace(mark, f"\\{mark}")
    return line
