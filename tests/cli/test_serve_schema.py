"""schemathesis asks the running service everything that its description allows, and what not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

from tests.cli.helpers import IndexedGallery, dedup_process
from tests.cli.serving import WRITE, serving

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
)


def test_nothing_that_can_be_asked_breaks_it(own_index: IndexedGallery, tmp_path: Path) -> None:
    lists, uploads = tmp_path / "lists", tmp_path / "uploads"
    uploads.mkdir()
    dedup_process(
        ["resolve", "--index", own_index.index, "--out", lists], cwd=tmp_path
    ).must_succeed()
    options = ["--lists", lists, "--source", own_index.folder, "--uploads", uploads]
    with serving(tmp_path / "service", own_index.index, *options, "--rate", "100000") as served:
        found = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")), "run",
                served.url + "/openapi.json", "--header", f"X-API-Key: {WRITE}",
                "--checks", ",".join(CHECKS), "--max-examples", "4", "--seed", "1",
                "--no-color", "--generation-database", "none",
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert found.returncode == 0, found.stdout + found.stderr
        served.must_live()
    # It makes up images too, and all that is kept is one.
    for kept in uploads.rglob("*.*"):
        with Image.open(kept) as image:
            image.load()
