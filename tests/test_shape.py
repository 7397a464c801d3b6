"""The shape of the house: floors, fences, names, and what the command line may import."""

from __future__ import annotations

import ast
import importlib
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("workbench", "audits", "probes", "saes")
UNWANTED_NAMES = {"utils", "util", "helpers", "helper", "manager", "base", "common"}
HEAVY = ("torch", "transformers", "transformer_lens", "sae_lens", "duckdb", "polars", "plotly")
HEAVY += ("streamlit", "pyarrow", "scipy", "pandas", "numpy")
MAY_REACH_SECRETS = (
    "workbench.organisms",
    "workbench.seal.vault",
    "workbench.benchmark",
    "workbench.rewards_lab",
    "workbench.game.rubric",
    "workbench.game.building",
    "workbench.game.clerk",
    "workbench.game.office",
    "workbench.game.practice",
    "workbench.game.organiser",
    "workbench.game.sealing",
    "workbench.cli.game",
    "workbench.cli.play",
    "workbench.cli.organism",
    "workbench.cli.organism_suite",
    "workbench.cli.benchmark",
    "workbench.cli.rewards_personas",
)


def modules() -> dict[str, Path]:
    """Every module of the four packages with its file."""
    found = {}
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def contracts(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources in which bad imports can be planted."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package,
            tmp_path / package,
            ignore=lambda folder, names: [
                n for n in names if Path(folder, n).is_file() and not n.endswith(".py")
            ],
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold() -> None:
    result = contracts(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("workbench/errors.py", "import workbench.ledger", "A lower floor"),
        ("workbench/corpus/scan.py", "from workbench.registry import techniques", "A lower floor"),
        ("workbench/battery/battery.py", "def f():\n    import workbench.cli", "A lower floor"),
        ("audits/prefill.py", "def f():\n    import duckdb", "Techniques reach"),
        ("saes/train.py", "import streamlit", "Techniques reach"),
        ("workbench/rewards/ranks.py", "def f():\n    import duckdb", "Techniques reach"),
        ("audits/prefill.py", "def f():\n    import workbench.organisms", "Only those who"),
        ("workbench/ui/__init__.py", "def f():\n    import workbench.organisms", "Only those who"),
        ("workbench/ui/visit.py", "from workbench.game import organiser", "Only those who"),
        ("workbench/report/page.py", "from workbench.seal import vault", "Only those who"),
        ("workbench/host/worker.py", "from workbench.seal import vault", "Only those who"),
        ("workbench/auditors/bench.py", "from workbench.seal import vault", "Only those who"),
        ("workbench/auditors/leads.py", "from workbench.game import score", "A lower floor"),
        ("workbench/host/jobs.py", "def f():\n    import workbench.organisms", "Only those who"),
        ("workbench/game/server.py", "from workbench.seal import vault", "Only those who"),
        ("workbench/game/verify.py", "from workbench.game import sealing", "Only those who"),
        ("workbench/suspects/remote.py", "from workbench.host import Host", "A lower floor"),
        ("audits/prefill.py", "def f():\n    import workbench.host", "Techniques reach"),
    ],
)
def test_a_planted_import_turns_the_check_red(
    tree: Path, module: str, line: str, contract: str
) -> None:
    with (tree / module).open("a") as file:
        file.write(f"\n{line}\n")
    result = contracts(tree)
    assert result.returncode == 1, result.stdout + result.stderr
    broken = [row for row in result.stdout.splitlines() if row.endswith("BROKEN")]
    assert any(row.startswith(contract) for row in broken), result.stdout


def test_the_fence_around_secrets_leaves_no_module_out() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    fence = next(c for c in linter["contracts"] if c["id"] == "secrets")
    known = (*fence["source_modules"], *MAY_REACH_SECRETS)
    outside = {
        name: file
        for name, file in modules().items()
        if not any(f"{name}.".startswith(f"{k}.") for k in known)
    }
    assert set(outside) <= {"workbench", "workbench.cli", "workbench.seal", "workbench.game"}
    for file in outside.values():
        imported = [
            f"{node.module}." if isinstance(node, ast.ImportFrom) else f"{node.names[0].name}."
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, (ast.Import, ast.ImportFrom))
        ]
        assert [
            i for i in imported if i.startswith(tuple(f"{m}." for m in MAY_REACH_SECRETS))
        ] == []


def test_files_are_named_after_their_idea() -> None:
    unwanted = [name for name in modules() if name.rpartition(".")[2] in UNWANTED_NAMES]
    # the one that trains the bundled base model, which is called `base`
    assert [name for name in unwanted if name != "workbench.organisms.base"] == []


def test_public_names() -> None:
    expected = {
        "workbench.battery": ["Battery", "Crew", "Source", "Step", "SuspectFiles", "run"],
        "workbench.corpus": [
            "CompiledQuery", "Corpus", "Count", "Document", "Hit", "count", "count_by", "hits",
            "scan", "write",
        ],
        "workbench.host": ["Admission", "Host", "HostSettings"],
        "workbench.ledger": ["Amendment", "Entry", "Group", "Ledger", "Planned", "Run"],
        "workbench.report": ["write"],
        "workbench.suspects": [
            "Activations", "Conversation", "Intervention", "Reply", "RewardModel", "Suspect",
            "TokenGradients", "TokenLogprobs",
        ],
    }  # fmt: skip
    assert {name: importlib.import_module(name).__all__ for name in expected} == expected


def nouns() -> list[str]:
    from workbench.cli import NOUNS

    return sorted(NOUNS)


@pytest.mark.parametrize("noun", ["", *nouns()])
def test_help_imports_nothing_heavy(noun: str) -> None:
    script = (
        "import json, sys\n"
        "from workbench.cli import run\n"
        "code = run([*sys.argv[1:], '--help'])\n"
        "print('\\n' + json.dumps([code, sorted(sys.modules)]))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, *filter(None, [noun])],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    code, imported = json.loads(result.stdout.splitlines()[-1])
    assert code == 0
    assert f"Usage: workbench {noun}".strip() in result.stdout
    assert [name for name in HEAVY if name in imported] == []
