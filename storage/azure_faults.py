"""What the blob service and its SDK report, as errors of this project."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from datetime import UTC

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from storage.azure_address import redact
from storage.errors import (
    BlobChanged,
    BlobUnreadable,
    BlobVanished,
    CredentialsError,
    DedupError,
    SourceNotFound,
)
from storage.retry import PassingFault

WAYS_IN = (
    "There are three ways in: set AZURE_STORAGE_CONNECTION_STRING; or give --account-url "
    "https://ACCOUNT.blob.core.windows.net and sign in (az login, a managed identity, or "
    "AZURE_CLIENT_ID and its companions) with the role Storage Blob Data Reader; or give the https "
    "URL of the container with a SAS that permits read and list."
)
_PASSING = frozenset((408, 429, 500, 502, 503, 504))
_THROTTLED = frozenset((429, 503))
# Nobody with these credentials gets in, whichever blob it is.
_IDENTITY_REFUSED = frozenset(
    (
        "AuthenticationFailed",
        "InvalidAuthenticationInfo",
        "NoAuthenticationInformation",
        "AccountIsDisabled",
        "KeyBasedAuthenticationNotPermitted",
    )
)
_ARCHIVED = frozenset(("BlobArchived", "BlobBeingRehydrated"))


def error_code(error: HttpResponseError) -> str:
    """The service's own name of the error, or the HTTP status."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or error.status_code or type(error).__name__)


def retry_after(headers: Mapping[str, str], now: float) -> float:
    """Seconds the service asks to wait; 0 when it does not say. `now`: seconds since the epoch."""
    for name in ("x-ms-retry-after-ms", "retry-after-ms"):
        if headers.get(name, "").isdigit():
            return int(headers[name]) / 1000
    value = headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, when.timestamp() - now)


def passing_fault(error: AzureError) -> PassingFault | None:
    """The fault, when another attempt may succeed."""
    if isinstance(error, ClientAuthenticationError):
        return None
    if not isinstance(error, HttpResponseError) or error.status_code is None:
        return PassingFault(first_line(error))
    if error.status_code not in _PASSING:
        return None
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    reason = f"{error.status_code} {error_code(error)}"
    return PassingFault(
        reason,
        retry_after(headers, time.time()),
        is_throttled=error.status_code in _THROTTLED,
    )


def is_unknown_host(error: AzureError) -> bool:
    """Whether the name of the account does not resolve."""
    text = str(error)
    return "NameResolutionError" in text or "getaddrinfo" in text or "Name or service not" in text


def blob_changed(uri: str) -> BlobChanged:
    """The blob has another ETag now."""
    return BlobChanged(f"{uri} has changed since it was listed.", "Index again.")


def blob_vanished(uri: str) -> BlobVanished:
    """The blob is not there any more."""
    return BlobVanished(f"{uri} is gone since it was listed.", "Index again.")


def listing_error(error: AzureError, uri: str) -> DedupError:
    """What a listing that failed for good means. For anything else: the container is not there."""
    if isinstance(error, HttpResponseError):
        code = error_code(error)
        if isinstance(error, ClientAuthenticationError) or error.status_code in (401, 403):
            return _credentials(uri, error)
        if error.status_code == 404:
            return SourceNotFound(f"There is no container {uri} ({code}).", "Check its name.")
        return SourceNotFound(f"{uri} cannot be listed ({code}).", "Check the address.")
    return SourceNotFound(f"{uri} cannot be listed: {first_line(error)}.", "Check the address.")


def reading_error(error: AzureError, uri: str, *, has_read_others: bool) -> DedupError:
    """What a read that failed for good means for the blob, or for the credentials."""
    if not isinstance(error, HttpResponseError):
        return BlobUnreadable(f"{uri} cannot be read: {first_line(error)}.")
    code = error_code(error)
    if error.status_code == 404:
        return blob_vanished(uri)
    if error.status_code == 412:
        return blob_changed(uri)
    if code in _ARCHIVED:
        return BlobUnreadable(f"{uri} is archived: rehydrate it to read it.")
    if isinstance(error, ClientAuthenticationError) or error.status_code in (401, 403):
        # One blob may be refused by a condition on its role assignment; all of them, by the role.
        if has_read_others and error.status_code == 403 and code not in _IDENTITY_REFUSED:
            return BlobUnreadable(f"{uri} may not be read with these credentials ({code}).")
        return _credentials(uri, error)
    return BlobUnreadable(f"{uri} cannot be read: the service answers {code}.")


def _credentials(uri: str, error: HttpResponseError) -> CredentialsError:
    what = error_code(error) if error.status_code else first_line(error)
    return CredentialsError(f"Access to {uri} is refused ({what}).", WAYS_IN)


def first_line(error: AzureError) -> str:
    """What the SDK says, in one line and without secrets."""
    lines = redact(str(error)).strip().splitlines()
    return lines[0].rstrip(".")[:300] if lines else type(error).__name__
