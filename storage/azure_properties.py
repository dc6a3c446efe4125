"""What a blob has besides its content: from the SDK's answers, and back to its arguments."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobClient, BlobProperties, ContentSettings, StandardBlobTier

from storage.actions import BlobState, Properties
from storage.azure_faults import error_code

_HEADERS = (
    "content_type",
    "content_encoding",
    "content_language",
    "content_disposition",
    "cache_control",
)
_MD5 = "content_md5"
# Accounts with a hierarchical namespace, and premium ones.
_HAVE_NO_TAGS = frozenset(
    (
        "BlobTagsNotSupportedForAccountType",
        "FeatureNotSupportedForAccount",
        "FeatureNotYetSupportedForHierarchicalNamespaceAccounts",
    )
)
_LEASED = "leased: somebody is using it"
_ARCHIVED = "archived: rehydrate it first"


def blob_state(uri: str, found: BlobProperties, tags: Mapping[str, str] | None) -> BlobState:
    """The state of a blob. `tags`: None leaves the properties out."""
    md5 = found.content_settings.content_md5
    return BlobState(
        uri=uri,
        size=int(found.size),
        etag=str(found.etag).strip('"'),
        content_md5=bytes(md5) if md5 else None,
        refusal=_refusal(found),
        version_id=str(getattr(found, "version_id", None) or ""),
        is_complete=(found.copy.status or "success") == "success",
        properties=None if tags is None else _properties(found, tags),
    )


def read_tags(client: BlobClient) -> dict[str, str]:
    """The index tags; none where the account has no such thing. Raises AzureError."""
    try:
        return dict(client.get_blob_tags())
    except HttpResponseError as error:
        if error_code(error) in _HAVE_NO_TAGS:
            return {}
        raise


def content_settings(properties: Properties) -> ContentSettings:
    """The headers as the SDK takes them."""
    headers: dict[str, Any] = dict(properties.headers)
    if _MD5 in headers:
        headers[_MD5] = bytearray(base64.b64decode(headers[_MD5]))
    return ContentSettings(**headers)


def tier_of(properties: Properties) -> StandardBlobTier | None:
    """The access tier as the SDK takes it; None for the account's default or for one of premium."""
    try:
        return StandardBlobTier(properties.tier) if properties.tier else None
    except ValueError:
        return None


def is_pending(found: BlobProperties) -> bool:
    """Whether the service is still copying into it."""
    return bool(found.copy.status == "pending")


def _properties(found: BlobProperties, tags: Mapping[str, str]) -> Properties:
    settings: Any = found.content_settings
    headers = {name: str(getattr(settings, name)) for name in _HEADERS if getattr(settings, name)}
    if settings.content_md5:
        headers[_MD5] = base64.b64encode(bytes(settings.content_md5)).decode()
    return Properties(
        headers=headers,
        metadata=dict(found.metadata or {}),
        tags=dict(tags),
        tier="" if found.blob_tier_inferred else str(found.blob_tier or ""),
    )


def _refusal(found: BlobProperties) -> str:
    if str(found.blob_tier or "").lower() == "archive":
        return _ARCHIVED
    return _LEASED if str(found.lease.state or "") in ("leased", "breaking") else ""
