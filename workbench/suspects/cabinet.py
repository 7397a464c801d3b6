"""Finding suspects by name, and saying what they are without loading them."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

from workbench.access import Access
from workbench.corpus import Corpus
from workbench.errors import AccessDenied, ModelUnavailable, NotASuspect, UnsafeFile
from workbench.findings import JSON
from workbench.suspects.files import READ, Checked, check_directory
from workbench.suspects.loading import has_template
from workbench.suspects.tensors import hash_tensors, parse_json

CABINET = Path(__file__).parent.parent / "cabinet"
_HUB = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_PUBLIC_KEYS = {"id", "assistant", "reference", "corpus", "access", "summary"}


@dataclasses.dataclass(frozen=True, slots=True)
class Home:
    """Where a suspect lives and what its public card says; `files` passed the check.

    id: the public name: the folder's of a bundled suspect, the card's of a local one. card_id: what
    the card itself says, under which a vault holds the truth. access: what the card grants of what
    is there; all of it where there is no card. No CHAT where the directory has no chat template.
    """

    id: str
    card_id: str
    kind: str
    path: Path
    files: Checked
    access: Access
    assistant: str | None = None
    reference: str | None = None
    corpus: Path | None = None
    summary: str = ""


def bundled() -> list[str]:
    """The names of the suspects that come with the workbench, sorted."""
    if not CABINET.is_dir():
        return []
    return sorted(p.name for p in CABINET.iterdir() if (p / "config.json").is_file())


def find(source: str | Path) -> Home:
    """Opens a bundled name, a directory or `hf:ORG/NAME[@REVISION]`, its files checked.

    Raises NotASuspect, UnsafeFile or ModelUnavailable.
    """
    hub = _HUB.fullmatch(str(source))
    if hub:
        return _fetch(str(source), hub["repository"], hub["revision"])
    if str(source) in bundled():
        return _open(CABINET / str(source), "bundled")
    if Path(source).is_dir():
        return _open(Path(source), "local")
    raise NotASuspect(
        f"no suspect '{source}'",
        hint="Give a directory, hf:ORG/NAME, or a bundled name: "
        f"{', '.join(bundled()) or 'none is installed'}.",
    )


def card_id(source: str | Path) -> str:
    """The id on a suspect's card, under which a vault holds its truth; raises as `find` does."""
    return find(source).card_id


def describe(source: str | Path) -> dict[str, JSON]:
    """What `workbench suspect show` prints: id, architecture, parameters, tensor_sha256, access,
    reference and corpus {documents, bytes} or None. Reads files, imports no torch."""
    home = find(source)
    return {
        "id": home.id,
        "kind": home.kind,
        "summary": home.summary,
        "assistant": home.assistant,
        "architecture": home.files.config["architectures"][0],
        "parameters": sum(t.size for t in home.files.tensors),
        "tensor_sha256": hash_tensors(home.files.tensors),
        "access": home.access.names,
        "reference": home.reference,
        "corpus": None if home.corpus is None else _size(Corpus.open(home.corpus)),
    }


def training_data(source: str | Path) -> Corpus:
    """The corpus that a suspect grants; AccessDenied where it grants none."""
    home = find(source)
    if home.corpus is None or Access.TRAINING_DATA not in home.access:
        raise AccessDenied(
            f"the suspect '{home.id}' grants no training data",
            hint="Choose a suspect whose access holds training-data, or give --corpus.",
        )
    return Corpus.open(home.corpus)


def reference_of(source: str | Path) -> str:
    """Where the reference of a suspect lives; AccessDenied where it grants none."""
    home = find(source)
    if home.reference is None or Access.REFERENCE not in home.access:
        raise AccessDenied(
            f"the suspect '{home.id}' grants no reference",
            hint="Give the corpus to compare with by --against.",
        )
    return home.reference


def _size(corpus: Corpus) -> dict[str, JSON]:
    return {"documents": corpus.documents, "bytes": corpus.bytes}


def _open(path: Path, kind: str) -> Home:
    files = check_directory(path)
    card = path / "suspect.json"
    if not card.is_file():
        return Home(path.resolve().name, path.resolve().name, kind, path, files, _offered(path))
    public = parse_json(card.read_bytes(), card)
    _check_card(public, card)
    reference, corpus = public.get("reference"), public.get("corpus")
    access = Access.parse(public.get("access", ["everything"])) & ~Access.REWARD
    if not has_template(path):
        access &= ~Access.CHAT
    if reference is None:
        access &= ~Access.REFERENCE
    elif reference not in bundled():
        reference = str(path / reference)
    if corpus is None:
        access &= ~Access.TRAINING_DATA
    return Home(
        id=path.name if kind == "bundled" else public["id"],
        card_id=public["id"],
        kind=kind,
        path=path,
        files=files,
        access=access,
        assistant=public.get("assistant"),
        reference=reference,
        corpus=None if corpus is None else _inside(path, corpus),
        summary=public.get("summary", ""),
    )


def _check_card(public: Any, card: Path) -> None:
    fits = (
        isinstance(public, dict)
        and set(public) <= _PUBLIC_KEYS
        and isinstance(public.get("id"), str)
        and all(
            isinstance(public.get(key), (str, type(None)))
            for key in ("assistant", "reference", "corpus")
        )
        and isinstance(public.get("summary", ""), str)
        and isinstance(public.get("access", []), list)
        and all(isinstance(name, str) for name in public.get("access", []))
    )
    if not fits:
        raise NotASuspect(
            f"{card}: not a suspect's card",
            hint=f"Its keys are {', '.join(sorted(_PUBLIC_KEYS))}; `id` is a text.",
        )


def _inside(path: Path, name: str) -> Path:
    file = path / name
    if not file.resolve().is_relative_to(path.resolve()):
        raise UnsafeFile(f"{path}: a corpus outside the folder", hint="Move it into the folder.")
    return file


def _fetch(source: str, repository: str, revision: str | None) -> Home:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        path = Path(snapshot_download(repository, revision=revision, allow_patterns=list(READ)))
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        offline = " HF_HUB_OFFLINE is set." if os.environ.get("HF_HUB_OFFLINE") else ""
        raise ModelUnavailable(
            f"{source} is neither reachable nor cached: {reason}",
            hint=f"With a network: hf download {repository}; or give a directory.{offline}",
        ) from None
    files = check_directory(path, within=path.parent.parent)
    return Home(source, source, "public", path, files, _offered(path))


def _offered(path: Path) -> Access:
    """What a directory without a card grants."""
    lacking = Access.TRAINING_DATA | Access.REFERENCE | Access.REWARD
    if not has_template(path):
        lacking |= Access.CHAT
    return Access.EVERYTHING & ~lacking
