"""What the blob service says when it will not change a blob, as errors of this project."""

from __future__ import annotations

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from storage.azure_address import redact
from storage.azure_faults import blob_changed, blob_vanished, error_code
from storage.errors import (
    ActRefused,
    BlobConflict,
    CredentialsError,
    DedupError,
)

ROLES = (
    "Changing blobs needs the role Storage Blob Data Owner, or a SAS with read, list, write, "
    "create, delete and tags: docs/apply.md says which for which action."
)
_EXISTS = frozenset(("BlobAlreadyExists", "UnauthorizedBlobOverwrite"))
_IDENTITY_REFUSED = frozenset(
    (
        "AuthenticationFailed",
        "InvalidAuthenticationInfo",
        "NoAuthenticationInformation",
        "AccountIsDisabled",
        "KeyBasedAuthenticationNotPermitted",
    )
)
_IN_WORDS = {
    "SnapshotsPresent": "it has snapshots, which would go with it",
    "BlobArchived": "it is archived: rehydrate it first",
    "BlobBeingRehydrated": "it is being rehydrated: try again when that is done",
    "BlobImmutableDueToPolicy": "an immutability policy protects it",
    "BlobImmutableDueToLegalHold": "a legal hold protects it",
    "ContainerNotFound": "there is no such container",
    "ContainerBeingDeleted": "its container is being deleted",
}


def acting_error(error: AzureError, uri: str, *, has_acted: bool) -> DedupError:
    """What a refusal for good means for this blob, or for the credentials.

    Args:
        has_acted: something was permitted with these credentials before.
    """
    if not isinstance(error, HttpResponseError):
        first = redact(str(error)).strip().partition("\n")[0][:300]
        return ActRefused(f"{uri} cannot be changed: {first or type(error).__name__}.")
    code = error_code(error).rpartition(".")[2]
    status = error.status_code
    if code in _IN_WORDS:
        return ActRefused(f"{uri} stays as it is: {_IN_WORDS[code]}.")
    if "lease" in code.lower():
        return ActRefused(f"{uri} stays as it is: it is leased.", "Release the lease.")
    if code in _EXISTS:
        return BlobConflict(f"{uri} exists already.", "Move it away.")
    if status == 404:
        return blob_vanished(uri)
    if status == 412:
        return blob_changed(uri)
    if isinstance(error, ClientAuthenticationError) or status in (401, 403):
        # One blob may be refused by a condition on the role assignment; all of them, by the role.
        if has_acted and status == 403 and code not in _IDENTITY_REFUSED:
            return ActRefused(f"{uri} may not be changed with these credentials ({code}).")
        return CredentialsError(f"Changing {uri} is refused ({code}).", ROLES)
    return ActRefused(f"{uri} cannot be changed: the service answers {code}.")
