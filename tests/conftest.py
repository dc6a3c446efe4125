"""Fixtures for every folder of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import azurite as emulator


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an Azure Blob emulator that runs for the session."""
    with emulator.running("blob", tmp_path_factory.mktemp("azurite")) as endpoint:
        yield emulator.connection_string("blob", endpoint)
