"""Requests to one storage account: at their rate, with retries, and errors of this project."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

from azure.core import MatchConditions
from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import BlobClient, BlobServiceClient

from storage.actions import BlobState
from storage.azure_action_faults import acting_error
from storage.azure_address import SCHEME
from storage.azure_faults import blob_vanished, passing_fault, reading_error
from storage.errors import BlobChanged, BlobVanished
from storage.rate_limit import RateLimiter
from storage.retry import Pauses, Retrier, Turn
from storage.source import SourceTraffic

T = TypeVar("T")


class AccountRequests:
    """Makes requests about blobs that are named by their URIs. Safe to use from several threads.

    Args:
        service: with a client that makes one request per call.
        account: its name.
        requests_per_second: of everything asked here together.
        deadline: seconds for one request with all its retries.
    """

    def __init__(
        self,
        service: BlobServiceClient,
        account: str,
        *,
        requests_per_second: float,
        deadline: float,
        pauses: Pauses | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.service = service
        self._account = account
        self._deadline = deadline
        self._limiter = RateLimiter(requests_per_second, clock, sleep)
        self._retrier = Retrier(
            self._limiter, SourceTraffic(), threading.Lock(), pauses, clock, sleep, uniform
        )
        self._has_acted = False

    def found(self, uri: str, client: BlobClient) -> Any:
        """The SDK's properties of a blob; None when there is none."""
        try:
            return self.act(uri, client.get_blob_properties)
        except BlobVanished:
            return None

    def now(self) -> float:
        """The time on the clock of the deadlines."""
        return self._retrier.now()

    def charge(self, requests: int) -> None:
        """Wait as for so many requests: those that the service counts within another one."""
        for _ in range(requests):
            self._limiter.acquire().answered()

    def download(self, state: BlobState, **span: Any) -> Any:
        """What the SDK opens to read a blob at its ETag. To be called within `read`."""
        return self.blob(state.uri).download_blob(
            etag=f'"{state.etag}"', match_condition=MatchConditions.IfNotModified, **span
        )

    def read(self, uri: str, seconds: float, attempt: Callable[[Turn], T]) -> T:
        """What a reading request brings.

        Args:
            seconds: for all attempts together, large blobs take more.
            attempt: makes one request.

        Raises:
            BlobVanished, BlobChanged, BlobUnreadable, CredentialsError, SourceUnavailable
        """

        def read(turn: Turn) -> T:
            try:
                return attempt(turn)
            except AzureError as error:
                fault = passing_fault(error)
                if fault is not None:
                    raise fault from error
                raise reading_error(error, uri, has_read_others=self._has_acted) from error

        try:
            result = self._retrier.run(uri, seconds, read)
        except BlobChanged as error:
            # A condition on the ETag also fails because the blob is gone.
            if self.found(uri, self.blob(uri)) is None:
                raise blob_vanished(uri) from error
            raise
        self._has_acted = True
        return result

    def act(self, uri: str, request: Callable[[], T]) -> T:
        """What a request that looks at a blob or changes it brings.

        Raises:
            BlobVanished, BlobChanged, BlobConflict, ActRefused, CredentialsError,
            SourceUnavailable
        """

        def attempt(_turn: Turn) -> T:
            try:
                return request()
            except AzureError as error:
                fault = passing_fault(error)
                is_not_implemented = isinstance(error, HttpResponseError) and (
                    error.status_code == 501
                )
                if fault is not None and not is_not_implemented:
                    raise fault from error
                raise acting_error(error, uri, has_acted=self._has_acted) from error

        result = self._retrier.run(uri, self._deadline, attempt)
        self._has_acted = True
        return result

    def source_url(self, uri: str, version_id: str = "") -> str:
        """What the service is to copy from. It may hold a SAS: never written anywhere."""
        url = self.blob(uri).url.partition("?")[0]
        query = [f"versionid={quote(version_id, safe='')}"] if version_id else []
        credential = self.service.credential
        if isinstance(credential, AzureSasCredential):
            query.append(credential.signature.lstrip("?"))
        return "?".join([url, "&".join(query)]) if query else url

    def blob(self, uri: str) -> BlobClient:
        """Its client."""
        container, name = self.parts(uri)
        return self.service.get_blob_client(container, name)

    def parts(self, uri: str) -> tuple[str, str]:
        """Container and name. Raises ValueError for a blob of another account."""
        root = f"{SCHEME}{self._account}/"
        container, slash, name = uri.removeprefix(root).partition("/")
        if not uri.startswith(root) or not slash or not name:
            raise ValueError(f"{uri} is no blob of {root}")
        return container, name
