"""Finding out whether a container keeps what is deleted from it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from azure.storage.blob import ContainerClient

from storage.errors import ActRefused, BlobVanished

_FOLDER = ".dedup-probe"

Act = Callable[[Callable[[], Any]], Any]


def keeps_deleted(client: ContainerClient, act: Act) -> bool:
    """Whether a blob made for it can still be found after it was deleted.

    The account's settings would say it too, but reading them needs a role on the account that
    nobody who deletes blobs should have, and whether versions are kept is not among them.

    Args:
        act: makes a request, with retries and errors of this project.
    """
    name = f"{_FOLDER}/{secrets.token_hex(8)}.txt"
    blob = client.get_blob_client(name)
    text = b"dedup looks whether deleted blobs can be brought back\n"
    act(partial(blob.upload_blob, text, overwrite=True))
    act(blob.delete_blob)

    def listed() -> list[tuple[bool, str]]:
        found = client.list_blobs(name_starts_with=name, include=["deleted", "versions"])
        return [(bool(one.deleted), str(one.version_id or "")) for one in found]

    left = act(listed)
    for _, version_id in left:
        if version_id:
            try:
                act(partial(blob.delete_blob, version_id=version_id))
            except (ActRefused, BlobVanished):
                continue
    return bool(left)
