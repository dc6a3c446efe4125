"""Running the command in this process, and an index for all tests that only read one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.helpers import (
    Dedup,
    IndexedGallery,
    Outcome,
    clean_environment,
    dedup_process,
    fill_gallery,
)


@pytest.fixture
def dedup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dedup:
    """Runs `dedup ARGUMENTS` in this process, in an empty working directory."""
    working_directory = tmp_path / "cwd"
    working_directory.mkdir()

    def run(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> Outcome:
        with monkeypatch.context() as patch:
            patch.chdir(working_directory)
            wanted = clean_environment(**environment)
            for name in set(os.environ) - set(wanted):
                patch.delenv(name)
            result = CliRunner().invoke(
                app, [str(part) for part in arguments], input=stdin, env=wanted
            )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> IndexedGallery:
    """The gallery above, indexed once for all tests that only read it."""
    base = tmp_path_factory.mktemp("indexed")
    gallery = IndexedGallery(base / "gallery", base / "index")
    fill_gallery(gallery.folder)
    dedup_process(["index", gallery.folder, "--index", gallery.index], cwd=base).must_succeed()
    return gallery


@pytest.fixture
def own_index(indexed: IndexedGallery, tmp_path: Path) -> IndexedGallery:
    """A copy of the index above, to change or damage."""
    shutil.copytree(indexed.index, tmp_path / "index")
    return IndexedGallery(indexed.folder, tmp_path / "index")
