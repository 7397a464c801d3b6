"""Requests made from the server's own description: each is answered as the description says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.hosting import Inside, hosted
from tests.unit.host.test_openai import says, steered
from workbench.suspects.scripted import ScriptedSuspect

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    suspect = ScriptedSuspect(
        says, id="speaker", reference=ScriptedSuspect(says, id="base"), steered=steered
    )
    with hosted(suspect, tmp_path_factory.mktemp("described")) as running:
        yield running


@pytest.mark.parametrize("examples", [5, pytest.param(150, marks=pytest.mark.long)])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(
    "label", ["GET /v1/models/{model}", "POST /v1/chat/completions", "POST /v1/completions"]
)
def test_answers_are_as_described(inside: Inside, label: str, mode: Any, examples: int) -> None:
    loaded = schemathesis.openapi.from_url(f"{inside.url}/openapi.json")
    found = {o.ok().label: o.ok() for o in loaded.get_all_operations()}
    seen = []

    @given(case=found[label].as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {inside.token}"})
        case.validate_response(answer, checks=CHECKS)
        seen.append(answer.status_code)

    ask()
    assert seen
