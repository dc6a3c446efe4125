"""Changes from the change feed that a storage account writes to its container $blobchangefeed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError

from storage.azure_account import AzureContainer, client_options
from storage.azure_events import changed_names, happened_before
from storage.azure_faults import error_code, first_line
from storage.changes import Changes
from storage.errors import CredentialsError, SourceNotFound, SourceUnavailable, UsageError

FEED_CONTAINER = "$blobchangefeed"
_MOST_EVENTS = 4096
# Between this machine's clock and the service's.
_CLOCKS_APART = timedelta(minutes=5)


class ChangeFeed:
    """The change feed of one account.

    Args:
        container: any container of the account, with its client.
        since: what happened before is not told; a listing that begins now shows it.

    Raises:
        UsageError: the package for change feeds is not installed.
    """

    def __init__(self, container: AzureContainer, since: datetime) -> None:
        try:
            from azure.storage.blob.changefeed import ChangeFeedClient
        except ImportError as error:
            raise UsageError(
                "Reading a change feed needs the package azure-storage-blob-changefeed.",
                "Install it with: pip install 'dedup[watch]'.",
            ) from error
        self._account = container.account
        self._service = container.service
        url = container.service.url.partition("?")[0]
        self._feed: Any = ChangeFeedClient(
            url, credential=container.service.credential, **client_options(url)
        )
        self._since = since.astimezone(UTC) - _CLOCKS_APART
        self._token = ""

    @property
    def what(self) -> str:
        """The feed."""
        return f"the change feed of {self._account}"

    def poll(self) -> Changes:
        """See `ChangeSource.poll`.

        Raises:
            SourceNotFound, CredentialsError, SourceUnavailable
        """
        # Of a fault the SDK says nothing from within the feed; so it is looked for before.
        self._require_feed()
        feed = self._feed
        try:
            if self._token:
                pages = feed.list_changes(results_per_page=_MOST_EVENTS).by_page(self._token)
            else:
                since = {"start_time": self._since}
                pages = feed.list_changes(results_per_page=_MOST_EVENTS, **since).by_page()
            events = list(next(pages, ()))
            token = str(pages.continuation_token or "")
        except Exception as error:
            # The SDK fails in many ways on a feed that it cannot read: AzureError, KeyError,
            # TypeError, ValueError, and errors of its own Avro reader.
            raise SourceUnavailable(
                f"{self.what} cannot be read ({type(error).__name__}: {error}).",
                "It is asked again later.",
            ) from error
        # The SDK begins with the hour.
        recent = [event for event in events if not happened_before(event, self._since)]
        names = dict.fromkeys(name for event in recent for name in changed_names(event))
        return Changes(tuple(names), len(events), receipt=token if events else "")

    def confirm(self, changes: Changes) -> None:
        """Go on after these."""
        if changes.receipt:
            self._token = str(changes.receipt)

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def _require_feed(self) -> None:
        try:
            self._service.get_container_client(FEED_CONTAINER).get_container_properties()
        except HttpResponseError as error:
            if error.status_code == 404:
                raise SourceNotFound(
                    f"The account {self._account} keeps no change feed.",
                    "Switch it on (docs/azure.md), or watch without --change-feed.",
                ) from error
            if error.status_code in (401, 403):
                raise CredentialsError(
                    f"Access to {self.what} is refused ({error_code(error)}).",
                    "It takes the role Storage Blob Data Reader on the account.",
                ) from error
            raise self._unavailable(error) from error
        except AzureError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: AzureError) -> SourceUnavailable:
        return SourceUnavailable(
            f"{self.what} does not answer: {first_line(error)}.", "It is asked again later."
        )
