"""Fixtures for every folder of tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests import azurite as emulator
from tests import cluster
from tests.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an Azure Blob emulator that runs for the session."""
    with emulator.running("blob", tmp_path_factory.mktemp("azurite")) as endpoint:
        yield emulator.connection_string("blob", endpoint)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium for the session; skips where there is none."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def nodes() -> Iterator[cluster.Nodes]:
    """A Ray cluster of two nodes, and this process connected to it."""
    with cluster.running() as started:
        yield started
