"""Changes from a storage queue that Event Grid delivers events to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import RequestsTransport

from storage.azure_account import LOOPBACK, key_of, well_known_key
from storage.azure_address import AzureEndpoint, parse_url, redact
from storage.azure_events import changed_names, events_in
from storage.azure_faults import error_code, first_line
from storage.changes import Changes
from storage.errors import CredentialsError, SourceNotFound, SourceUnavailable, UsageError

# Messages that come with one request, and names that are dealt with together.
_PER_REQUEST = 32
_MOST_EVENTS = 4096
# Longer than a stretch takes to be read: what is dealt with is not handed out again meanwhile.
_HIDDEN_SECONDS = 3600
# A few seconds, then the next look.
_RETRIES: dict[str, Any] = {
    "retry_total": 2,
    "initial_backoff": 1,
    "increment_base": 2,
    "random_jitter_range": 1,
}
# It was hidden for its time and came back, or somebody else has dealt with it.
_NOT_OURS = frozenset(("PopReceiptMismatch", "MessageNotFound"))
_WAYS_IN = (
    "Give a SAS that permits read and process, set AZURE_STORAGE_CONNECTION_STRING for its "
    "account, or sign in with the role Storage Queue Data Message Processor."
)

T = TypeVar("T")


class EventQueue:
    """A queue of Event Grid's events, read by one watcher alone.

    What was dealt with is deleted from the queue; messages that are no events of blobs stay.

    Args:
        url: `https://ACCOUNT.queue.core.windows.net/QUEUE[?SAS]`.
        connection_string: used when it is for the same account.

    Raises:
        UsageError: no URL of a queue, or the package for queues is not installed.
        CredentialsError: no way in.
    """

    def __init__(self, url: str, connection_string: str = "") -> None:
        try:
            from azure.storage.queue import QueueClient
        except ImportError as error:
            raise UsageError(
                "Reading an Event Grid queue needs the package azure-storage-queue.",
                "Install it with: pip install 'dedup[watch]'.",
            ) from error
        endpoint, path = parse_url(url)
        if path.prefix:
            raise UsageError(
                f"{redact(url)} names more than a queue.",
                "Write https://ACCOUNT.queue.core.windows.net/QUEUE.",
            )
        self._what = f"the queue {endpoint.url}/{path.container}"
        transport = RequestsTransport()
        if endpoint.url.startswith(LOOPBACK):
            # A proxy is for the world outside; the emulator is on this machine.
            transport = RequestsTransport(use_env_settings=False)
        self._client = QueueClient(
            endpoint.url,
            path.container,
            credential=_credential(endpoint, connection_string),
            transport=transport,
            **_RETRIES,
        )

    @property
    def what(self) -> str:
        """The queue, without its secrets."""
        return self._what

    def poll(self) -> Changes:
        """See `ChangeSource.poll`. What it gives is hidden from others for an hour.

        Raises:
            SourceNotFound, CredentialsError, SourceUnavailable
        """
        messages = self._act(self._receive)
        names: dict[str, None] = {}
        receipts = []
        events = 0
        for message in messages:
            found = events_in(str(message.content))
            nominated = [changed_names(event) for event in found]
            if found and all(nominated):
                names.update(dict.fromkeys(name for some in nominated for name in some))
                receipts.append((message.id, message.pop_receipt))
                events += len(found)
        return Changes(
            tuple(names), events, not_understood=len(messages) - len(receipts), receipt=receipts
        )

    def confirm(self, changes: Changes) -> None:
        """Delete the messages. One that others have meanwhile is theirs.

        Raises:
            CredentialsError, SourceUnavailable
        """
        for message_id, pop_receipt in changes.receipt or ():
            try:
                self._client.delete_message(message_id, pop_receipt)
            except AzureError as error:
                if isinstance(error, HttpResponseError) and error_code(error) in _NOT_OURS:
                    continue
                raise self._error(error) from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _receive(self) -> list[Any]:
        return list(
            self._client.receive_messages(
                messages_per_page=_PER_REQUEST,
                max_messages=_MOST_EVENTS,
                visibility_timeout=_HIDDEN_SECONDS,
            )
        )

    def _act(self, request: Callable[[], T]) -> T:
        try:
            return request()
        except AzureError as error:
            raise self._error(error) from error

    def _error(self, error: AzureError) -> SourceNotFound | CredentialsError | SourceUnavailable:
        status = error.status_code if isinstance(error, HttpResponseError) else None
        if status == 404:
            return SourceNotFound(f"There is no {self._what.removeprefix('the ')}.", "Check it.")
        if status in (401, 403) and isinstance(error, HttpResponseError):
            return CredentialsError(
                f"Access to {self._what} is refused ({error_code(error)}).", _WAYS_IN
            )
        return SourceUnavailable(
            f"{self._what} does not answer: {first_line(error)}.", "It is asked again later."
        )


def _credential(endpoint: AzureEndpoint, connection_string: str) -> Any:
    if endpoint.sas:
        return AzureSasCredential(endpoint.sas)
    key = key_of(connection_string, endpoint.account) or well_known_key(endpoint.account)
    if key:
        return AzureNamedKeyCredential(endpoint.account, key)
    if not endpoint.url.startswith("https://"):
        raise CredentialsError(f"There is no key for {endpoint.url}.", _WAYS_IN)
    # Takes a second to import, and is needed here only.
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()
