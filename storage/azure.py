"""A container of Azure Blob Storage, or a folder in it, as a source of images."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline import PipelineResponse
from urllib3.exceptions import HTTPError

from storage.azure_account import AzureContainer
from storage.azure_address import blob_uri
from storage.azure_faults import (
    blob_changed,
    blob_vanished,
    is_unknown_host,
    listing_error,
    passing_fault,
    reading_error,
)
from storage.azure_listing import ListedBlob, UnreadablePage, from_properties, parse_page
from storage.blob import Blob, looks_like_image
from storage.errors import BlobChanged, BlobUnreadable, ListingExpired, SourceNotFound
from storage.rate_limit import RateLimiter
from storage.retry import PassingFault, Pauses, Retrier, Turn
from storage.source import BlobPage, SourceTraffic

_PAGE = 5000
_PIECE = 1 << 18
# Until something was answered, a wrong address is likelier than a service that is down.
_FIRST_CONTACT_SECONDS = 20.0
# A deadline must leave large blobs the time they take at this rate.
_SLOWEST_BYTES_PER_SECOND = 250_000


class _BodyTaken(Exception):
    """Leaves the SDK once the body of a response is read.

    Of a body that breaks off, the SDK throws away what came and repeats the request up to three
    times on its own, past the rate limit and the deadline. So the body is read in its response
    hook, where the rest can be asked for by range, and the SDK never sees it. Pages of a listing
    are taken likewise, for `storage.azure_listing` to read.
    """


class AzureSource:
    """The image blobs below a folder of a container. Safe to use from several threads.

    Args:
        container: with a client that makes one request per call.
        requests_per_second: over listing and reading together.
        read_deadline: seconds for one read with all its retries; large blobs get more.
        pauses: between retries.
        clock, sleep, uniform: time in seconds, and a random number in 0..1.

    Raises:
        UsageError: the rate is not more than 0.
    """

    def __init__(
        self,
        container: AzureContainer,
        *,
        requests_per_second: float = 35.0,
        read_deadline: float = 120.0,
        pauses: Pauses | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._service = container.service
        self._client = container.client
        self._root = blob_uri(container.account, container.path.container, "") + "/"
        self._prefix = container.path.prefix
        self._read_deadline = read_deadline
        self._traffic = SourceTraffic()
        self._guard = threading.Lock()
        limiter = RateLimiter(requests_per_second, clock, sleep)
        self._retrier = Retrier(limiter, self._traffic, self._guard, pauses, clock, sleep, uniform)
        self._was_answered = False
        self._has_read = False

    @property
    def uri(self) -> str:
        """`az://account/container[/folder]`."""
        return (self._root + self._prefix).rstrip("/")

    @property
    def traffic(self) -> SourceTraffic:
        """Requests and bytes so far."""
        return self._traffic

    def list(self) -> Iterator[Blob]:
        """Blobs with the name of an image, in the order of their names, a page at a time.

        Those in the archive tier, and those whose name no request can carry, come with a `refusal`.

        Raises:
            SourceNotFound: no such account or container.
            CredentialsError: it may not be listed.
            SourceUnavailable: the service does not answer.
        """
        for page in self.pages():
            yield from page.blobs

    def check(self) -> None:
        """Ask for one name. Raises as `list` does."""
        self._retrier.run(self.uri, self._patience(), partial(self._page, "", False, 1))

    def pages(self, marker: str = "") -> Iterator[BlobPage]:
        """The same by the page; from a page's marker on where one is given.

        Raises:
            ListingExpired: the service does not know the marker.
            SourceNotFound, CredentialsError, SourceUnavailable: as for `list`.
        """
        is_carried_on = bool(marker)
        while True:
            attempt = partial(self._page, marker, is_carried_on, _PAGE)
            page = self._retrier.run(self.uri, self._patience(), attempt)
            yield page
            if page.is_last:
                return
            marker, is_carried_on = page.marker, False

    def read(self, blob: Blob) -> bytes:
        """The whole content of the listed ETag; a body that breaks off is continued by range.

        Raises:
            BlobVanished, BlobChanged
            BlobUnreadable: archived, or refused to these credentials.
            CredentialsError: everything is refused to these credentials.
            SourceUnavailable: throttled, silent or unreachable until the deadline.
        """
        if blob.refusal:
            raise BlobUnreadable(f"{blob.uri} is {blob.refusal}.")
        seconds = self._read_deadline + blob.size / _SLOWEST_BYTES_PER_SECOND
        received = bytearray()
        try:
            self._retrier.run(blob.uri, seconds, partial(self._read_rest, blob, received))
        except BlobChanged as error:
            # A condition on the ETag may also fail because the blob is gone.
            if self.stat(blob.uri) is None:
                raise blob_vanished(blob.uri) from error
            raise
        self._has_read = True
        return bytes(received)

    def stat(self, uri: str) -> Blob | None:
        """The blob of that URI as it is now; None when there is none.

        Raises:
            CredentialsError, SourceUnavailable
            SourceNotFound: no such account.
        """
        name = self._name(uri)
        if not name:
            return None
        return self._retrier.run(uri, self._read_deadline, partial(self._properties, uri, name))

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def _patience(self) -> float:
        if self._was_answered:
            return self._read_deadline
        return min(self._read_deadline, _FIRST_CONTACT_SECONDS)

    def _page(self, marker: str, is_carried_on: bool, size: int, _turn: Turn) -> BlobPage:
        with self._guard:
            self._traffic.list_requests += 1
        taken: list[bytes] = []
        try:
            pages: Any = self._client.list_blobs(
                name_starts_with=f"{self._prefix}/" if self._prefix else None,
                # Folders of a hierarchical namespace are told from empty blobs by it.
                include=["metadata"],
                results_per_page=size,
                raw_response_hook=partial(_take_page, taken),
            ).by_page(marker or None)
            next(pages, None)
        except _BodyTaken:
            pass
        except AzureError as error:
            self._raise_if_passing(error, self.uri)
            if is_carried_on and isinstance(error, HttpResponseError) and error.status_code == 400:
                raise ListingExpired(
                    f"The listing of {self.uri} cannot be carried on.", "It is begun again."
                ) from error
            raise listing_error(error, self.uri) from error
        try:
            listed, following = parse_page(taken[0] if taken else b"")
        except UnreadablePage as error:
            raise PassingFault(str(error)) from error
        self._was_answered = True
        blobs = [
            self._blob(one) for one in listed if looks_like_image(one.name) and not one.is_folder
        ]
        return BlobPage(blobs, following, is_last=not following)

    def _properties(self, uri: str, name: str, _turn: Turn) -> Blob | None:
        with self._guard:
            self._traffic.read_requests += 1
        try:
            properties = self._client.get_blob_client(name).get_blob_properties()
        except AzureError as error:
            if isinstance(error, HttpResponseError) and error.status_code == 404:
                return None
            self._raise_if_passing(error, uri)
            raise reading_error(error, uri, has_read_others=self._has_read) from error
        found = from_properties(properties)
        return None if found.is_folder else self._blob(found)

    def _read_rest(self, blob: Blob, received: bytearray, turn: Turn) -> None:
        """One request for what is missing, appended to `received`."""
        with self._guard:
            self._traffic.read_requests += 1
        client = self._client.get_blob_client(self._name(blob.uri))
        condition: dict[str, Any] = {
            "etag": f'"{blob.etag}"',
            "match_condition": MatchConditions.IfNotModified,
        }
        try:
            if blob.size == 0:
                # A range of an empty blob is an error; its properties say as much as its body.
                client.get_blob_properties(**condition)
            elif len(received) < blob.size:
                client.download_blob(
                    offset=len(received),
                    length=blob.size - len(received),
                    raw_response_hook=partial(self._take_body, blob, received, turn),
                    **condition,
                )
        except _BodyTaken:
            pass
        except AzureError as error:
            self._raise_if_passing(error, blob.uri)
            raise reading_error(error, blob.uri, has_read_others=self._has_read) from error
        self._was_answered = True
        if len(received) < blob.size:
            raise PassingFault(f"the content broke off at byte {len(received)} of {blob.size}")
        if len(received) > blob.size:
            raise blob_changed(blob.uri)

    def _take_body(
        self, blob: Blob, received: bytearray, turn: Turn, answer: PipelineResponse[Any, Any]
    ) -> None:
        turn.answered()
        response = answer.http_response
        if response.status_code not in (200, 206):
            return
        body = response.internal_response
        etag = response.headers.get("ETag", "").strip('"')
        if etag and etag != blob.etag:
            body.close()
            raise blob_changed(blob.uri)
        if response.status_code == 200:
            received.clear()
        before = len(received)
        try:
            # read1 gives what has arrived: a body that trickles cannot hide behind a full buffer.
            while piece := body.raw.read1(_PIECE, decode_content=False):
                received += piece
                if self._retrier.now() >= turn.deadline:
                    raise PassingFault(f"only {len(received)} of {blob.size} bytes came in time")
        except (HTTPError, OSError) as error:
            raise PassingFault(_why_broken(error)) from error
        finally:
            with self._guard:
                self._traffic.bytes_read += len(received) - before
            if len(received) < blob.size:
                # Unread bytes would be taken for the next answer on this connection.
                body.close()
            else:
                body.raw.release_conn()
        raise _BodyTaken

    def _raise_if_passing(self, error: AzureError, uri: str) -> None:
        if is_unknown_host(error) and not self._was_answered:
            account = uri.removeprefix("az://").partition("/")[0]
            raise SourceNotFound(
                f"The storage account {account} of {uri} cannot be found.",
                "Check its name and the network.",
            ) from error
        fault = passing_fault(error)
        if fault is not None:
            raise fault from error

    def _name(self, uri: str) -> str:
        if uri != self._root.rstrip("/") and not uri.startswith(self._root):
            raise ValueError(f"{uri} is not in {self._root}")
        return uri[len(self._root) :]

    def _blob(self, found: ListedBlob) -> Blob:
        return Blob(
            uri=self._root + found.name,
            size=found.size,
            etag=found.etag,
            last_modified=found.last_modified,
            content_md5=found.content_md5,
            refusal=found.refusal,
        )


def _take_page(taken: list[bytes], answer: PipelineResponse[Any, Any]) -> None:
    if answer.http_response.status_code == 200:
        taken.append(answer.http_response.body())
        raise _BodyTaken


def _why_broken(error: Exception) -> str:
    if "timed out" in str(error).lower():
        return "the content stopped coming"
    return "the connection broke"
