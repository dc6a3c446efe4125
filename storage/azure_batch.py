"""Deleting many blobs in one request, and what its answer says of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError
from azure.storage.blob import ContainerClient

# The most that the service takes in one request.
BATCH = 256
_ACCEPTED = 202


def delete_batch(client: ContainerClient, rows: Sequence[tuple[str, str]]) -> list[bool] | None:
    """Delete names at their ETags; for each, whether the service says that it did.

    What it did not delete, it has refused for a reason of that blob alone.

    Args:
        rows: name and ETag, at most `BATCH`.

    Returns:
        None when the batch as a whole failed or its answer does not fit the question: then nothing
        is known, and each is to be deleted by itself.
    """
    blobs: list[Any] = [
        {"name": name, "etag": f'"{etag}"', "match_condition": MatchConditions.IfNotModified}
        for name, etag in rows
    ]
    try:
        answers = [
            answer.status_code for answer in client.delete_blobs(*blobs, raise_on_any_failure=False)
        ]
    except (AzureError, ValueError, KeyError, IndexError, AttributeError):
        # The SDK takes the answer apart itself, and of one that is cut off or not what it expects
        # it throws what the parsing happened to throw.
        return None
    if len(answers) != len(rows):
        return None
    return [status == _ACCEPTED for status in answers]
