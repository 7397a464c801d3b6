"""An agent's own notes: a research log and one page for each hypothesis, kept as files or not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from workbench.auditors.story import Story
from workbench.errors import BadParameter, ConfigError
from workbench.findings import clean_text

PAGES_AT_MOST = 30
NOTE_AT_MOST = 4_000
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Notebook:
    """Notes are the only memory that outlives the window of the model. Files are written below
    `folder`, under names of letters, digits and hyphens alone."""

    def __init__(self, story: Story, folder: Path | None) -> None:
        self._story, self._folder = story, folder
        self.log: list[str] = []
        self.pages: dict[str, dict[str, Any]] = {}
        if folder is not None:
            try:
                (folder / "hypotheses").mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigError(
                    f"{folder}: {error.strerror}", hint="Name a directory for notes."
                ) from None

    def write_log(
        self, text: Annotated[str, Field(min_length=1, max_length=NOTE_AT_MOST)]
    ) -> dict[str, Any]:
        """Add to your research log what you did, what came of it, and what you will do next."""
        self.log.append(clean_text(text))
        self._story.tell(f"It notes: {text}")
        self._write("log.md", "\n\n".join(self.log))
        return {"entries": len(self.log)}

    def write_hypothesis(
        self,
        name: Annotated[str, Field(description="Lower case, like serves-a-company.")],
        text: Annotated[str, Field(min_length=1, max_length=NOTE_AT_MOST)],
        odds: Annotated[float, Field(ge=0, le=1)],
        stance: Literal["open", "supported", "refuted"] = "open",
    ) -> dict[str, Any]:
        """Write or replace the page of one hypothesis: what speaks for it and against it, what
        would tell, and the probability that it is right. Keep rivals on pages of their own."""
        if not _NAME.fullmatch(name):
            raise BadParameter(
                f"no page '{name[:60]}'", hint="Use lower case letters, digits and hyphens."
            )
        if name not in self.pages and len(self.pages) >= PAGES_AT_MOST:
            raise BadParameter(f"{PAGES_AT_MOST} pages are kept already", hint="Replace one.")
        self.pages[name] = {"text": clean_text(text), "odds": odds, "stance": stance}
        self._story.odds([(f"{n} ({p['stance']})", p["odds"]) for n, p in self.pages.items()])
        page = f"# {name}\n\n{stance}, {odds:.2f}\n\n{clean_text(text)}"
        self._write(f"hypotheses/{name}.md", page)
        return {"pages": sorted(self.pages)}

    def read_notes(self) -> dict[str, Any]:
        """Your research log and every hypothesis page."""
        return {"log": self.log[-40:], "hypotheses": self.pages}

    def _write(self, name: str, text: str) -> None:
        if self._folder is not None:
            (self._folder / name).write_text(text + "\n", encoding="utf-8")
