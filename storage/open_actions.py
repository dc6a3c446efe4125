"""From the URI of a blob to the store that can change it."""

from __future__ import annotations

import threading
from functools import partial
from typing import Protocol

from storage.actions import BlobActions
from storage.azure_address import SCHEME
from storage.errors import UsageError
from storage.folder_actions import FolderActions
from storage.open_source import SourceOptions


class Stores(Protocol):
    """Finds the store of a URI."""

    def of(self, uri: str) -> BlobActions:
        """The store that holds this blob; one for all files, one for each account.

        Raises:
            CredentialsError, SourceNotFound, UsageError
        """

    def close(self) -> None:
        """Close all that were opened."""


class OpenStores:
    """Opens each store when the first of its blobs is asked for. Safe to use from several threads.

    Args:
        options: how to reach cloud stores.
    """

    def __init__(self, options: SourceOptions) -> None:
        self._options = options
        self._guard = threading.Lock()
        self._opened: dict[str, BlobActions] = {}

    def of(self, uri: str) -> BlobActions:
        """See `Stores.of`."""
        key = store_key(uri)
        with self._guard:
            if key not in self._opened:
                self._opened[key] = self._open_account(uri) if key else FolderActions()
            return self._opened[key]

    def close(self) -> None:
        """Close all that were opened."""
        for store in self._opened.values():
            store.close()

    def _open_account(self, uri: str) -> BlobActions:
        # The SDK takes a while to import, and a folder does not need it.
        from storage.azure_account import connect
        from storage.azure_actions import AzureActions

        options = self._options
        account, _, rest = uri[len(SCHEME) :].partition("/")
        container = rest.partition("/")[0]
        connecting = partial(
            connect,
            account_url=options.account_url,
            connection_string=options.connection_string,
            silence=options.silence,
        )
        connected = None
        if options.account_url or options.connection_string:
            connected = connecting(f"{SCHEME}{account}/{container}")
            if connected.account != account:
                connected.service.close()
                connected = None
        if connected is None:
            url = f"https://{account}.blob.core.windows.net/{container}"
            connected = connecting(url)
        return AzureActions(
            connected.service,
            account,
            requests_per_second=options.max_requests_per_second,
            deadline=options.read_deadline,
        )


def store_key(uri: str) -> str:
    """The same for all blobs of one store: the account; "" for files.

    Raises:
        UsageError: neither an absolute path nor the URI of a blob.
    """
    if uri.startswith("/"):
        return ""
    account, slash, _ = uri.removeprefix(SCHEME).partition("/")
    if uri.startswith(SCHEME) and account and slash:
        return account
    raise UsageError(
        f"{uri!r} is neither an absolute path nor az://ACCOUNT/CONTAINER/NAME.",
        "Give places as they are in the lists.",
    )
