"""A game in one file, as it was played: a plain tar whose every byte follows from its content."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

from workbench.errors import SealBroken
from workbench.seal.commit import NotCanonical, canonical, parse

FORMAT = "auditgame/archive/2"
MEMBERS = (
    "archive.json",  # format, game, and the last head of the chain
    "seal.json",  # the sealed document with its nonce
    "log.jsonl",  # the events of the chain, one a line
    "submissions.json",  # every revision
    "findings.json",  # the findings that were cited, by their digest
    "scores.json",
    "verdicts.json",  # what a judge said beside the scores
)


def pack(members: Mapping[str, bytes]) -> bytes:
    """The archive of these members, in the order of MEMBERS: the same ones give the same bytes."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in MEMBERS:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(members[name]), 0o444
            archive.addfile(entry, io.BytesIO(members[name]))
    return made.getvalue()


def unpack(content: bytes) -> dict[str, bytes]:
    """The members; raises SealBroken where a byte is not what `pack` writes."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            entries = archive.getmembers()
            if [entry.name for entry in entries] != list(MEMBERS):
                raise _broken("it does not hold the parts of a game, in their order")
            members = {}
            for entry in entries:
                file = archive.extractfile(entry)
                members[entry.name] = b"" if file is None else file.read()
    except (tarfile.TarError, ValueError, OSError, EOFError, OverflowError) as error:
        raise _broken(f"it is no tar: {type(error).__name__}") from None
    if pack(members) != content:
        raise _broken("it holds bytes that no game wrote")
    return members


def document(members: Mapping[str, bytes], name: str) -> object:
    """A JSON member; raises SealBroken where it is not in canonical form."""
    return _canonical(members[name], name)


def log(members: Mapping[str, bytes]) -> list[object]:
    """The events of the log; raises SealBroken where a line is not in canonical form."""
    lines = members["log.jsonl"].split(b"\n")
    if lines[-1]:
        raise _broken("its log does not end with a line")
    return [_canonical(line, f"log, line {n}") for n, line in enumerate(lines[:-1], start=1)]


def _canonical(content: bytes, name: str) -> object:
    try:
        made = parse(content)
        if canonical(made) == content:
            return made
    except NotCanonical:
        pass
    raise _broken(f"{name} is not in canonical form")


def _broken(what: str) -> SealBroken:
    return SealBroken(f"the archive was changed: {what}", hint="Get it again from its organiser.")
