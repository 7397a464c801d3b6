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
from workbench.suspects.files import READ, Checked, check_adapter, check_directory, holds_adapter
from workbench.suspects.loading import has_template, hash_weights
from workbench.suspects.tensors import Tensor, parse_json

CABINET = Path(__file__).parent.parent / "cabinet"
_HUB = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_PUBLIC_KEYS = {"id", "assistant", "base", "reference", "corpus", "access", "summary"}


@dataclasses.dataclass(frozen=True, slots=True)
class Home:
    """Where a suspect lives and what its public card says; `files` and `adapter` passed the check.

    id: the public name: the folder's of a bundled suspect, the card's of a local one. card_id: what
    the card itself says, under which a vault holds the truth. path: its own directory, in which
    tokenizer and chat template lie. files: the whole model that is loaded, the base's where the
    directory holds an adapter. adapter: what is merged in; base: what the card names, as `find`
    takes it. access: what the card grants of what is there; all of it where there is no card. No
    CHAT where the directory has no chat template.
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
    adapter: Checked | None = None
    base: str | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All that the suspect's weights are made from."""
        return self.files.tensors + (() if self.adapter is None else self.adapter.tensors)

    def whole(self) -> Home:
        """Itself; raises NotASuspect where it is an adapter over another model."""
        if self.adapter is not None:
            raise NotASuspect(
                f"'{self.id}' is an adapter over another model",
                hint="Give that model, or merge the two and save the result.",
            )
        return self

    def adapted(self, path: Path) -> Home:
        """The same model under the adapter of a PEFT directory; raises as `find` and `whole` do."""
        return dataclasses.replace(self.whole(), adapter=check_adapter(path))


def bundled() -> list[str]:
    """The names of the suspects that come with the workbench, sorted."""
    if not CABINET.is_dir():
        return []
    return sorted(
        p.name for p in CABINET.iterdir() if (p / "config.json").is_file() or holds_adapter(p)
    )


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
    base of an adapter, reference, and corpus {documents, bytes}, or None. Reads files, imports no
    torch."""
    home = find(source)
    return {
        "id": home.id,
        "kind": home.kind,
        "summary": home.summary,
        "assistant": home.assistant,
        "architecture": home.files.config["architectures"][0],
        "parameters": sum(t.size for t in home.files.tensors),
        "tensor_sha256": hash_weights(home.files, home.adapter),
        "access": home.access.names,
        "base": home.base,
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


def neighbours(path: Path) -> dict[str, Path]:
    """The other directories that a directory's card names by a path: of its `base`, `reference`.

    What a copy of it needs as well. Raises NotASuspect or UnsafeFile on a card that is none.
    """
    card = path / "suspect.json"
    if not card.is_file():
        return {}
    public = parse_json(card.read_bytes(), card)
    _check_card(public, card)
    named = {key: public[key] for key in ("base", "reference") if public.get(key) is not None}
    seen = {key: _named(path, name) for key, name in named.items()}
    return {k: Path(v) for k, v in seen.items() if v != named[k] and os.path.isdir(v)}


def _size(corpus: Corpus) -> dict[str, JSON]:
    return {"documents": corpus.documents, "bytes": corpus.bytes}


def _open(path: Path, kind: str) -> Home:
    card = path / "suspect.json"
    if not card.is_file():
        files = check_directory(path)
        return Home(path.resolve().name, path.resolve().name, kind, path, files, _offered(path))
    public = parse_json(card.read_bytes(), card)
    _check_card(public, card)
    base, reference, corpus = (public.get(key) for key in ("base", "reference", "corpus"))
    adapter = None
    if base is None:
        files = check_directory(path)
    else:
        adapter, base = _check_adapter(path), _named(path, base)
        files = _base(path, base)
    access = Access.parse(public.get("access", ["everything"])) & ~Access.REWARD
    if not has_template(path):
        access &= ~Access.CHAT
    if reference is None:
        access &= ~Access.REFERENCE
    else:
        reference = _named(path, reference)
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
        adapter=adapter,
        base=base,
    )


def _named(path: Path, name: str) -> str:
    """A suspect that a card names, as `find` takes it: bundled, of a hub, or as seen from there."""
    return name if name in bundled() or _HUB.fullmatch(name) else str(path / name)


def _check_adapter(path: Path) -> Checked:
    whole = [n for n in ("config.json", "model.safetensors") if (path / n).exists()]
    if whole or not holds_adapter(path):
        raise NotASuspect(
            f"{path}: its card names a base, and it holds {whole[0] if whole else 'no adapter'}",
            hint="Keep an adapter alone beside such a card, or a whole model and no `base`.",
        )
    return check_adapter(path)


def _base(path: Path, source: str) -> Checked:
    """The model under an adapter. Its own card is not read: it is a whole model, or refused."""
    hub = _HUB.fullmatch(source)
    if hub:
        return _fetch(source, hub["repository"], hub["revision"]).files
    folder = CABINET / source if source in bundled() else Path(os.path.normpath(source))
    if not os.path.isdir(folder):
        raise NotASuspect(
            f"{path}: its base is not at {folder}",
            hint="Put the model there, or name where it is as `base` in suspect.json.",
        )
    if holds_adapter(folder):
        raise NotASuspect(
            f"{path}: its base {folder} is an adapter itself",
            hint="Name the whole model that both were trained on, or merge the base into one.",
        )
    return check_directory(folder)


def _check_card(public: Any, card: Path) -> None:
    fits = (
        isinstance(public, dict)
        and set(public) <= _PUBLIC_KEYS
        and isinstance(public.get("id"), str)
        and all(
            isinstance(public.get(key), (str, type(None)))
            for key in ("assistant", "base", "reference", "corpus")
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
