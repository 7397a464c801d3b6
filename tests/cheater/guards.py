"""Removes one guard at a time and sees its test go red: a cheater suite that never fails proves
nothing.

    python tests/cheater/guards.py            every guard of cases.toml that was not seen red yet
    python tests/cheater/guards.py 12 16      those of these cases

Works on a copy of the tree, tests without a host first. What was seen goes into seen-red.json under
a hash of guard and test: a guard that was changed since counts as unseen.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import sys
import tempfile
import tomllib
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).parent / "cases.toml"
SEEN = Path(__file__).parent / "seen-red.json"
COPIED = ("workbench", "audits", "probes", "saes", "tests", "docs", "pyproject.toml")


def cases() -> list[dict[str, Any]]:
    """The cases of the specification, in their order."""
    listed: list[dict[str, Any]] = tomllib.loads(CASES.read_text("utf-8"))["case"]
    return listed


def guards(case: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """The guards of a case, each with the name that it is filed under."""
    for guard in case.get("guard", ()):
        parts = [guard[part] for part in ("file", "remove", "put", "test")]
        yield hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16], guard


def seen() -> set[str]:
    """The guards that were seen red."""
    return set(json.loads(SEEN.read_text())) if SEEN.is_file() else set()


def removed(guard: dict[str, str], tree: Path) -> str:
    """The file as it was; the copy of it in the tree lacks the guard now."""
    file = tree / guard["file"]
    before = file.read_text("utf-8")
    if before.count(guard["remove"]) != 1:
        raise SystemExit(f"{guard['file']}: not once: {guard['remove']!r}")
    file.write_text(before.replace(guard["remove"], guard["put"]), "utf-8")
    return before


def goes_red(guard: dict[str, str], tree: Path) -> bool:
    """Whether the test fails in the tree as it is, by an assertion and not for want of a test."""
    said = tree / "said.txt"
    child = os.fork()  # what is imported here need not be imported again
    if not child:
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.chdir(tree)
        sys.path.insert(0, str(tree))
        os.environ |= {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
        code = 70
        try:
            quiet = "ignore::pytest.PytestAssertRewriteWarning"  # of what was imported before
            options = ["-x", "-q", "-p", "no:cacheprovider", "-W", quiet]
            code = int(pytest.main([*options, guard["test"]]))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, 1):
        raise SystemExit(f"{guard['test']}: pytest ended with {code}\n{said.read_text()[-2000:]}")
    return code == 1


def _needs_host(test: str) -> bool:
    return test.startswith("tests/cheater") or "test_hostile" in test or "test_jobs" in test


def main(wanted: set[int]) -> int:
    """Tries them; 1 where a test stays green without its guard."""
    for library in (
        "pydantic",
        "starlette.routing",
        "uvicorn",
        "cryptography.fernet",
        "hypothesis",
    ):
        importlib.import_module(library)
    known, green = seen(), 0
    with tempfile.TemporaryDirectory(prefix="wb-guards-") as folder:
        tree = Path(folder)
        tree.chmod(0o755)  # some tests run what lies there as another user
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                skip = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.parquet")
                shutil.copytree(source, tree / name, ignore=skip)
            else:
                shutil.copy(source, tree / name)
        listed = [(case["number"], *one) for case in cases() for one in guards(case)]
        for number, name, guard in sorted(listed, key=lambda one: _needs_host(one[2]["test"])):
            if (wanted and number not in wanted) or (not wanted and name in known):
                continue
            before = removed(guard, tree)
            red = goes_red(guard, tree)
            (tree / guard["file"]).write_text(before, "utf-8")
            print(f"{number:2} {'red' if red else 'GREEN'} {guard['test']}", flush=True)
            green += not red
            known = seen() | {name} if red else seen() - {name}  # others may run beside this one
            SEEN.write_text(json.dumps(sorted(known), indent=1) + "\n")
    return 1 if green else 0


if __name__ == "__main__":
    sys.exit(main({int(word) for word in sys.argv[1:]}))
