"""A battery file is read strictly, and its errors name place, value and the nearest known name."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.access import Access, Budget
from workbench.battery import Battery, Step
from workbench.errors import (
    BadParameter,
    BrokenTechnique,
    ConfigError,
    UnknownTechnique,
    WorkbenchError,
)

pytestmark = pytest.mark.usefixtures("plugins")


def load(tmp_path: Path, text: str) -> Battery:
    file = tmp_path / "x.toml"
    file.write_text(text)
    return Battery.load(file)


def test_everything_a_battery_can_say(tmp_path: Path) -> None:
    battery = load(
        tmp_path,
        """
        name = "mine"
        access = ["black-box", "logits"]
        seed = 7
        time_limit_seconds = 30
        budget = {samples = 100, seconds = 2.5}
        [[techniques]]
        name = "calm"
        top_k = 5
        time_limit_seconds = 1.5
        [[techniques]]
        name = "calm"
        """,
    )
    assert (battery.name, battery.seed) == ("mine", 7)
    assert battery.access == Access.GREY_BOX
    assert battery.budget == Budget(samples=100, seconds=2.5)
    assert battery.steps == (Step("calm", {"top_k": 5}, 1.5), Step("calm"))
    assert [battery.limit_seconds(step) for step in battery.steps] == [1.5, 30.0]
    assert [t.top_k for t in battery.check()] == [5, 2]  # type: ignore[attr-defined]


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    battery = load(tmp_path, '[[techniques]]\nname = "calm"')
    assert (battery.name, battery.access, battery.seed) == ("x", None, 0)
    assert battery.budget == Budget()


STEP = '[[techniques]]\nname = "calm"\n'


@pytest.mark.parametrize(
    ("text", "kind", "message", "hint"),
    [
        (f"{STEP}topk = 3", BadParameter, "technique 1 'calm' has no parameter 'topk'",
         "Did you mean 'top_k'?"),
        (f"{STEP}top_k = 'x'", BadParameter, "technique 1 'calm' parameter 'top_k' = 'x' is no int",
         "type int"),
        (f"{STEP}[[techniques]]\nname = 'clam'", UnknownTechnique,
         ": technique 2: unknown technique 'clam'", "Did you mean 'calm'?"),
        ("[[techniques]]\nname = 'unimportable'", BrokenTechnique, "cannot be imported", "Repair"),
        (f"sed = 3\n{STEP}", ConfigError, "has no key 'sed'", "Did you mean 'seed'?"),
        (f"[budget]\nsample = 3\n{STEP}", ConfigError, "budget has no key 'sample'",
         "Did you mean 'samples'?"),
        (f"budget = 3\n{STEP}", ConfigError, "budget is no table", "[budget]"),
        (f"[budget]\nsamples = -3\n{STEP}", ConfigError, "budget samples = -3", "at least 0"),
        (f"access = ['chatt']\n{STEP}", ConfigError, "unknown access 'chatt'", "chat"),
        (f"access = 3\n{STEP}", ConfigError, "access is no list", "access ="),
        (f"seed = -1\n{STEP}", ConfigError, "seed = -1", "0 to"),
        (f"seed = true\n{STEP}", ConfigError, "seed = True", "0 to"),
        (f"time_limit_seconds = 0\n{STEP}", ConfigError, "time_limit_seconds = 0", "above 0"),
        (f"{STEP}time_limit_seconds = nan", ConfigError, "time_limit_seconds = nan", "above 0"),
        (f"name = 3\n{STEP}", ConfigError, "name = 3 is no text", "quotes"),
        ("[[techniques]]\nnam = 'calm'", ConfigError, "technique 1 has no name", "'nam'"),
        ("[[techniques]]\ntop_k = 1", ConfigError, "technique 1 has no name", "Give name"),
        ("techniques = ['calm']", ConfigError, "no list of tables", "[[techniques]]"),
        ("name = 'empty'", ConfigError, "there are no techniques", "[[techniques]]"),
        (STEP + STEP, ConfigError, "technique 2 'calm' is listed before", "Remove it"),
        ("name = ", ConfigError, "Invalid value", "TOML"),
        ("\ud800", ConfigError, "codec", "TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(
    text: str, kind: type[WorkbenchError], message: str, hint: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(kind) as caught:
        Battery.load(file)
    assert type(caught.value) is kind
    assert caught.value.message.startswith(str(file))
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        Battery.load(tmp_path / "none.toml")


def test_names_alone_make_a_battery() -> None:
    battery = Battery.of(["calm", "counting"])
    assert battery.name == "calm+counting"
    assert [t.name for t in battery.check()] == ["calm", "counting"]
    with pytest.raises(UnknownTechnique, match="--technique: technique 1: unknown"):
        Battery.of(["clam"]).check()
    with pytest.raises(ConfigError, match="no techniques"):
        Battery.of([])
