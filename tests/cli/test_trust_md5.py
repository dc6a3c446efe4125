"""`--trust-md5` from the index to the act: what nobody has read is read before anything is done."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient, ContentSettings

from tests.cli.helpers import Dedup, photograph, read_csv


@pytest.fixture
def container(azurite: str) -> Iterator[ContainerClient]:
    with BlobServiceClient.from_connection_string(azurite) as service:
        yield service.create_container(f"trust-{uuid.uuid4().hex}")


def test_a_blob_that_lies_about_its_md5_is_not_acted_on(
    dedup: Dedup, azurite: str, container: ContainerClient, tmp_path: Path
):
    environment = {"AZURE_STORAGE_CONNECTION_STRING": azurite}
    here = ("--index", tmp_path / "index")
    address = f"az://{container.container_name}"
    lists = tmp_path / "lists"

    def index(*more: str) -> str:
        return dedup("index", address, *here, *more, **environment).must_succeed().out

    def resolve() -> dict[str, dict[str, str]]:
        dedup("resolve", *here, "--out", lists, **environment).must_succeed()
        rows = read_csv(lists / "delete.csv")
        return {row["path"].rpartition("/")[2]: row for row in rows}

    picture = photograph("chelsea.png").read_bytes()
    container.upload_blob("chelsea.png", picture)
    assert "1 request to list, 1 to read 1 file (1.00 each)" in index()
    container.upload_blob("copy.png", picture)
    false = ContentSettings(content_type="image/png", content_md5=bytearray(md5(picture).digest()))
    container.upload_blob("other.png", picture[::-1])
    container.get_blob_client("other.png").set_http_headers(false)
    said = index("--trust-md5")
    assert "2 with the size and MD5 of a content known already, not read" in said
    assert "1 request to list, 0 to read\n" in said

    listed = resolve()
    assert set(listed) == {"copy.png", "other.png"}
    assert all(row["keep"].endswith("/chelsea.png") for row in listed.values())
    assert all("to be read before anything is done" in row["reason"] for row in listed.values())
    acting = ("apply", lists / "delete.csv", *here, "--action", "tag", "--check", "etag", "--yes")
    said = dedup(*acting, **environment).must_succeed().out
    assert re.search(r"its content is not what was indexed", said)
    tags = {
        name: container.get_blob_client(name).get_blob_tags()
        for name in ("chelsea.png", "copy.png", "other.png")
    }
    assert tags == {"chelsea.png": {}, "copy.png": {"dedup": "delete"}, "other.png": {}}

    # A run that trusts nobody reads both, and finds out.
    assert "2 to read" in index()
    listed = resolve()
    assert {name: row["reason"] for name, row in listed.items()} == {
        "chelsea.png": "the same bytes"
    }


def test_the_setting_may_stand_in_the_environment(
    dedup: Dedup, azurite: str, container: ContainerClient, tmp_path: Path
):
    environment = {"AZURE_STORAGE_CONNECTION_STRING": azurite, "DEDUP_TRUST_MD5": "true"}
    for name in ("a.png", "b.png"):
        container.upload_blob(name, photograph("coffee.png").read_bytes())
    address = f"az://{container.container_name}"
    said = dedup("index", address, "--index", tmp_path / "index", **environment).must_succeed().out
    assert "1 to read 1 file (1.00 each)" in said
