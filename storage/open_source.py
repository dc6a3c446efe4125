"""From what a user writes to the source it means."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from storage.azure_address import is_azure
from storage.errors import SourceNotFound
from storage.folder import FolderSource
from storage.paths import home_expanded
from storage.source import Source


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to reach cloud sources.

    Attributes:
        account_url: `https://ACCOUNT.blob.core.windows.net`; "" for that of the connection string.
        connection_string: of a storage account; "" for none. It holds a secret.
        max_requests_per_second: of one source.
        read_deadline: seconds for one read with all its retries.
        silence: seconds without a byte after which a request is given up and repeated.
    """

    account_url: str = ""
    connection_string: str = field(default="", repr=False)
    max_requests_per_second: float = 35.0
    read_deadline: float = 120.0
    silence: float = 20.0


def open_source(location: str, options: SourceOptions) -> Source:
    """The source of a folder's path, or of an Azure location (`storage.azure_address`).

    Nothing is sent: a container that is not there shows when it is listed. An Azure location may
    also name one blob: then `source.stat(source.uri)` is that blob.

    Raises:
        SourceNotFound: no such folder, or a location that names no container.
        CredentialsError: no account or no way in.
        UsageError: not a URL of a storage account, or a rate that is not more than 0.
    """
    if not location.strip():
        raise SourceNotFound("The source is an empty string.", "Name a folder or az://CONTAINER.")
    if not is_azure(location):
        return FolderSource(_expanded(location))
    # The SDK takes a while to import, and a folder does not need it.
    from storage.azure import AzureSource
    from storage.azure_account import connect

    container = connect(
        location,
        account_url=options.account_url,
        connection_string=options.connection_string,
        silence=options.silence,
    )
    return AzureSource(
        container,
        requests_per_second=options.max_requests_per_second,
        read_deadline=options.read_deadline,
    )


def _expanded(location: str) -> Path:
    try:
        return home_expanded(location)
    except RuntimeError as error:
        raise SourceNotFound(f"There is no folder {location} ({error}).", "Check it.") from error
