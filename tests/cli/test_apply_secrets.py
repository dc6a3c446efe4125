"""A SAS and an account key in index, resolve, apply and undo: nowhere said, nowhere written."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from azure.storage.blob import (
    AccountSasPermissions,
    BlobServiceClient,
    ResourceTypes,
    generate_account_sas,
)

from tests.azurite import ACCOUNT, KEY
from tests.cli.helpers import Outcome, fill_gallery

READS = AccountSasPermissions(read=True, list=True, tag=True)
CHANGES = AccountSasPermissions(
    read=True, list=True, tag=True, write=True, create=True, delete=True
)
SasUrl = Callable[[AccountSasPermissions], str]


@pytest.fixture
def container(azurite: str, tmp_path: Path) -> str:
    name = f"secrets-{uuid.uuid4().hex}"
    fill_gallery(tmp_path / "pictures")
    client = BlobServiceClient.from_connection_string(azurite).create_container(name)
    for path in (tmp_path / "pictures").iterdir():
        client.upload_blob(path.name, path.read_bytes())
    return name


@pytest.fixture
def sas_url(azurite: str) -> SasUrl:
    """The account with a SAS of its own."""
    endpoint = BlobServiceClient.from_connection_string(azurite).url.partition("?")[0].rstrip("/")

    def made(permission: AccountSasPermissions) -> str:
        types = ResourceTypes(container=True, object=True)
        hour = datetime.now(UTC) + timedelta(hours=1)
        return f"{endpoint}?{generate_account_sas(ACCOUNT, KEY, types, permission, hour)}"

    return made


def signature(url: str) -> str:
    return unquote(url.partition("sig=")[2].partition("&")[0])


def assert_nowhere(secret: str, said: list[str], folder: Path) -> None:
    """Neither said, nor in any file below the folder; as it is, or quoted for a URL."""
    forms = {secret, quote(secret, safe=""), quote(secret)}
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".jsonl" for path in files)
    assert any(path.suffix == ".html" for path in files)
    assert any(path.name == "data.mdb" or "lmdb" in str(path) for path in files)
    for form in forms:
        assert form not in "".join(said)
        assert [path for path in files if form.encode() in path.read_bytes()] == []


def test_a_sas_is_neither_said_nor_written_by_any_command(dedup, container, sas_url, tmp_path):
    said: list[str] = []

    def ran(*arguments: str | Path, **environment: str) -> Outcome:
        outcome = dedup(*arguments, **environment)
        said.append(outcome.out + outcome.err)
        return outcome

    changes, reads = sas_url(CHANGES), sas_url(READS)
    here = ("--index", tmp_path / "index")
    address = f"{reads.partition('?')[0]}/{container}?{reads.partition('?')[2]}"
    ran("index", address, *here).must_succeed()
    ran("resolve", *here, "--out", tmp_path / "lists").must_succeed()
    lists = tmp_path / "lists"
    acting = ("apply", lists / "delete.csv", *here, "--action")
    speed = ("--max-requests-per-second", "500")
    # May not change anything: refused, or each skipped with its reason, and nothing is lost.
    ran(*acting, "quarantine", "--account-url", reads, "--yes", *speed)
    ran(*acting, "delete", "--account-url", reads, "--yes", *speed)
    broken = changes.replace("sig=", "sig=AAAA")
    for action in ("tag", "quarantine"):
        ran(*acting, action, "--account-url", broken, "--yes", *speed).must_fail(4)
        ran(*acting, action, "--account-url", changes, "--yes", *speed).must_succeed()
        (journal,) = lists.glob(f"apply-{action}-*.jsonl")
        ran("undo", journal, "--account-url", broken, *speed).must_fail(4)
        ran("undo", journal, "--account-url", changes, *speed).must_succeed()
    ran(*acting, "tag", "--account-url", f"{changes}&x=%zz", "--quarantine", changes)
    service = BlobServiceClient(changes.partition("?")[0], changes.partition("?")[2])
    assert len(list(service.get_container_client(container).list_blob_names())) == 10
    for url in (changes, reads):
        assert_nowhere(signature(url), said, tmp_path)


def test_an_account_key_is_neither_said_nor_written(dedup, container, azurite, tmp_path):
    said: list[str] = []
    lists = tmp_path / "lists"
    environment = {"AZURE_STORAGE_CONNECTION_STRING": azurite}
    wrong = azurite.replace(KEY, "b" * len(KEY.rstrip("=")) + "==")
    here = ("--index", tmp_path / "index")
    for arguments in (
        ("index", f"az://{container}", *here),
        ("resolve", *here, "--out", lists),
        ("apply", lists / "delete.csv", *here, "--action", "tag"),
        ("apply", lists / "delete.csv", *here, "--action", "tag", "--yes"),
    ):
        outcome = dedup(*arguments, **environment).must_succeed()
        said.append(outcome.out + outcome.err)
    (journal,) = lists.glob("apply-*.jsonl")
    refused = dedup("undo", journal, AZURE_STORAGE_CONNECTION_STRING=wrong).must_fail(4)
    undone = dedup("undo", journal, **environment).must_succeed()
    said += [refused.out, refused.err, undone.out, undone.err]
    assert_nowhere(KEY, said, tmp_path)
    assert "b" * 40 not in "".join(said)
