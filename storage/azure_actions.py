"""Changing the blobs of one storage account, each only at its ETag."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from azure.core import MatchConditions
from azure.storage.blob import BlobClient, BlobServiceClient

from storage.actions import Action, BlobState, LinkKind, Properties
from storage.azure_action_faults import ROLES
from storage.azure_address import SCHEME, blob_uri
from storage.azure_batch import BATCH, delete_batch
from storage.azure_body import BodyDigest
from storage.azure_probe import keeps_deleted
from storage.azure_properties import blob_state, content_settings, is_pending, read_tags, tier_of
from storage.azure_requests import AccountRequests
from storage.errors import (
    ActRefused,
    BlobChanged,
    BlobConflict,
    BlobUnreadable,
    BlobVanished,
    DedupError,
    SourceUnavailable,
)
from storage.retry import Pauses

_NO_LINKS = "blobs have no links: use --action tag, quarantine or delete"
_LONGEST_NAME = 1024
_SLOWEST_BYTES_PER_SECOND = 250_000
# A copy inside an account is done at once; only a busy service makes one wait.
_COPY_SECONDS = 600.0
_POLL_SECONDS = 0.5


class AzureActions:
    """The blobs of an account, by their URIs. Safe to use from several threads.

    Args:
        service: with a client that makes one request per call.
        account: its name.
        requests_per_second: of everything done here together.
        deadline: seconds for one request with all its retries; large blobs get more.
    """

    moves_by_copying = True

    def __init__(
        self,
        service: BlobServiceClient,
        account: str,
        *,
        requests_per_second: float = 35.0,
        deadline: float = 120.0,
        pauses: Pauses | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._requests = AccountRequests(
            service,
            account,
            requests_per_second=requests_per_second,
            deadline=deadline,
            pauses=pauses,
            clock=clock,
            sleep=sleep,
            uniform=uniform,
        )
        self._account = account
        self._deadline = deadline
        self._sleep = sleep
        self._batches_work = True
        self._keeps_deleted: dict[str, bool] = {}
        # Held during the trial: of many threads that ask at once, one tries and the others wait.
        self._probing = threading.Lock()

    def cannot(self, action: Action) -> str:
        """Everything but links."""
        return _NO_LINKS if action is Action.LINK else ""

    def stat(self, uri: str, *, with_properties: bool = False) -> BlobState | None:
        """One request, and one for the tags with the properties."""
        client = self._requests.blob(uri)
        found = self._requests.found(uri, client)
        if found is None:
            return None
        tags = None
        if with_properties:
            tags = self._tags(uri, client)
        return blob_state(uri, found, tags)

    def digest(self, state: BlobState) -> bytes:
        """SHA-256 of what one GET with If-Match brings; of what breaks off, the rest is got."""
        seconds = self._deadline + state.size / _SLOWEST_BYTES_PER_SECOND
        body = BodyDigest(state, partial(self._requests.download, state), self._requests.now)
        return self._requests.read(state.uri, seconds, body.attempt)

    def probe(self, state: BlobState) -> None:
        """Reads a byte with If-Match."""
        if state.refusal.startswith("archived"):
            raise BlobUnreadable(f"{state.uri} is {state.refusal}.")
        if state.size == 0:
            return
        self._requests.read(
            state.uri,
            self._deadline,
            lambda _deadline: self._requests.download(state, offset=0, length=1).readall(),
        )

    def set_tags(self, uri: str, tags: Mapping[str, str]) -> None:
        """Replaces all tags."""
        self._requests.act(uri, partial(self._requests.blob(uri).set_blob_tags, dict(tags)))

    def rename(self, state: BlobState, target: str) -> bool:
        """A blob has no other name than the one it was made with."""
        return False

    def copy(self, state: BlobState, target: str) -> BlobState:
        """Copies inside the account: nothing of the content comes here."""
        properties = state.properties or Properties()
        source = self._requests.source_url(state.uri)
        self._start_copy(
            target,
            source,
            properties,
            source_etag=f'"{state.etag}"',
            source_match_condition=MatchConditions.IfNotModified,
        )
        return self._copied(target)

    def delete(self, states: Sequence[BlobState]) -> list[DedupError | None]:
        """In batches where there are several and batches work, else one by one."""
        outcomes: dict[int, DedupError | None] = {}
        if self._batches_work and len(states) > 1:
            for start in range(0, len(states), BATCH):
                chunk = range(start, min(start + BATCH, len(states)))
                done = self._delete_batch([states[i] for i in chunk])
                outcomes |= {i: None for i, is_done in zip(chunk, done, strict=True) if is_done}
        # What a batch did not say it deleted is asked for by itself: its answer says why.
        for i, state in enumerate(states):
            if i not in outcomes:
                outcomes[i] = self._delete_one(state)
        return [outcomes[i] for i in range(len(states))]

    def link(self, state: BlobState, keeper: BlobState, kind: LinkKind) -> None:
        """Raises ActRefused."""
        raise ActRefused(f"{state.uri} cannot be linked: {_NO_LINKS}.")

    def unlink(self, uri: str, keeper: str, digest: bytes, properties: Properties) -> None:
        """Raises ActRefused."""
        raise ActRefused(f"{uri} is no link: {_NO_LINKS}.")

    def keeps_deleted(self, uri: str) -> bool:
        """By deleting a blob made for it in the same container; once a container."""
        container, _ = self._requests.parts(uri)
        with self._probing:
            known = self._keeps_deleted.get(container)
            if known is None:
                client = self._requests.service.get_container_client(container)
                known = keeps_deleted(
                    client, partial(self._requests.act, blob_uri(self._account, container, ""))
                )
                self._keeps_deleted[container] = known
        return known

    def restore(self, uri: str, version_id: str) -> bool:
        """Undelete first; where versions are kept, that brings back none, and the version is
        copied."""
        client = self._requests.blob(uri)
        # Refused: never deleted softly, or the container keeps versions only.
        with suppress(BlobVanished, ActRefused):
            self._requests.act(uri, client.undelete_blob)
        if self._requests.found(uri, client) is not None:
            return True
        version_id = version_id or self._newest_version(uri)
        if not version_id:
            return False
        try:
            self._start_copy(uri, self._requests.source_url(uri, version_id), Properties())
        except BlobVanished:
            return False
        self._copied(uri)
        return True

    def set_properties(self, uri: str, wanted: Properties) -> None:
        """Headers, metadata, tags and tier that differ."""
        now = self.stat(uri, with_properties=True)
        if now is None or now.properties is None:
            raise BlobVanished(f"{uri} is gone.")
        client, there = self._requests.blob(uri), now.properties
        if dict(there.headers) != dict(wanted.headers):
            self._requests.act(uri, partial(client.set_http_headers, content_settings(wanted)))
        if dict(there.metadata) != dict(wanted.metadata):
            self._requests.act(uri, partial(client.set_blob_metadata, dict(wanted.metadata)))
        if dict(there.tags) != dict(wanted.tags):
            self._requests.act(uri, partial(client.set_blob_tags, dict(wanted.tags)))
        tier = tier_of(wanted)
        if tier is not None and there.tier != wanted.tier:
            self._requests.act(uri, partial(client.set_standard_blob_tier, tier))

    def quarantine_uri(self, place: str, run: str, uri: str) -> str:
        """`PLACE/RUN/CONTAINER/NAME`."""
        container, name = self._requests.parts(uri)
        target = f"{place.rstrip('/')}/{run}/{container}/{name}"
        if len(self._requests.parts(target)[1]) > _LONGEST_NAME:
            raise ActRefused(f"{uri} has too long a name for the quarantine {place}.")
        return target

    def prepare_quarantine(self, place: str) -> None:
        """Makes the container, where that is permitted and it is missing."""
        container, _, _ = place.removeprefix(f"{SCHEME}{self._account}/").partition("/")
        client = self._requests.service.get_container_client(container)
        # Somebody else has just made it, or may look at blobs only: the first copy says what is
        # wrong, if anything.
        with suppress(BlobConflict, ActRefused):
            if not self._requests.act(place, client.exists):
                self._requests.act(place, client.create_container)

    def settle(self, uri: str) -> None:
        """Nothing: no act has names of its own."""

    def tidy_quarantine(self, place: str) -> None:
        """Nothing: folders are parts of names."""

    def close(self) -> None:
        """Close the connections."""
        self._requests.service.close()

    def _newest_version(self, uri: str) -> str:
        """Of a blob that had no version yet when it was deleted, as all that are older than the
        account's keeping of versions; "" when there is none."""
        container, name = self._requests.parts(uri)
        client = self._requests.service.get_container_client(container)

        def listed() -> list[str]:
            found = client.list_blobs(name_starts_with=name, include=["versions"])
            return [str(one.version_id) for one in found if one.name == name and one.version_id]

        return max(self._requests.act(uri, listed), default="")

    def _tags(self, uri: str, client: BlobClient) -> dict[str, str]:
        try:
            return self._requests.act(uri, partial(read_tags, client))
        except ActRefused as error:
            raise ActRefused(
                f"The index tags of {uri} may not be read, so that undo could not bring them back "
                "(it takes the role Storage Blob Data Owner or the data action blobs/tags/read).",
                ROLES,
            ) from error

    def _start_copy(self, uri: str, source: str, properties: Properties, **condition: Any) -> None:
        self._requests.act(
            uri,
            partial(
                self._requests.blob(uri).start_copy_from_url,
                source,
                match_condition=MatchConditions.IfMissing,
                tags=dict(properties.tags) or None,
                standard_blob_tier=tier_of(properties),
                **condition,
            ),
        )

    def _copied(self, uri: str) -> BlobState:
        client = self._requests.blob(uri)
        waited = 0.0
        while True:
            found = self._requests.found(uri, client)
            if found is None:
                raise BlobVanished(f"{uri} was removed while it was copied.")
            if not is_pending(found):
                break
            if waited >= _COPY_SECONDS:
                raise SourceUnavailable(f"{uri} is still being copied.", "Run it again later.")
            waited += _POLL_SECONDS
            self._sleep(_POLL_SECONDS)
        state = blob_state(uri, found, None)
        if not state.is_complete:
            raise ActRefused(f"{uri} could not be copied: {found.copy.status}.")
        return state

    def _delete_batch(self, states: Sequence[BlobState]) -> list[bool]:
        """Which of them the service says it deleted; containers may be mixed."""
        done = [False] * len(states)
        places: dict[str, list[int]] = {}
        for i, state in enumerate(states):
            places.setdefault(self._requests.parts(state.uri)[0], []).append(i)
        for container, members in places.items():
            if len(members) < 2:
                continue
            # Each blob of a batch counts as a request to the service.
            self._requests.charge(len(members) - 1)
            rows = [(self._requests.parts(states[i].uri)[1], states[i].etag) for i in members]
            client = self._requests.service.get_container_client(container)
            answers = delete_batch(client, rows)
            if answers is None:
                self._batches_work = False
                break
            for i, is_done in zip(members, answers, strict=True):
                done[i] = is_done
        return done

    def _delete_one(self, state: BlobState) -> DedupError | None:
        client = self._requests.blob(state.uri)
        request = partial(
            client.delete_blob,
            etag=f'"{state.etag}"',
            match_condition=MatchConditions.IfNotModified,
        )
        try:
            try:
                self._requests.act(state.uri, request)
            except BlobChanged:
                # A condition on the ETag also fails because the blob is gone.
                if self._requests.found(state.uri, client) is not None:
                    raise
        except BlobVanished:
            return None
        except DedupError as error:
            return error
        return None
