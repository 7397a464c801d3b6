"""The suspect of the contract, behind a host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosting import hosted
from workbench.suspects import Suspect


@pytest.fixture(scope="module")
def remote(suspect: Suspect, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suspect]:
    with hosted(suspect, tmp_path_factory.mktemp("host")) as inside:
        yield inside.connect()
