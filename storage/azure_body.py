"""The digest of a blob's body as it comes, carried on where it broke off."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any

from azure.core.pipeline import PipelineResponse
from urllib3.exceptions import HTTPError

from storage.actions import BlobState
from storage.azure_faults import blob_changed
from storage.retry import PassingFault, Turn

_PIECE = 1 << 20


class _BodyTaken(Exception):
    """Leaves the SDK once the body of a response is read.

    See `storage.azure`: the SDK would throw away a body that breaks off, and ask again past the
    rate limit and the deadline.
    """


class BodyDigest:
    """SHA-256 of one blob at one ETag, over as many requests as it takes. Never all in memory.

    Args:
        download: opens the blob at its ETag, with `offset`, `length` and `raw_response_hook` as
            the SDK has them.
        now: seconds on the clock of the deadlines.
    """

    def __init__(
        self, state: BlobState, download: Callable[..., Any], now: Callable[[], float]
    ) -> None:
        self._state = state
        self._download = download
        self._now = now
        self._hash = sha256()
        self._received = 0

    def attempt(self, turn: Turn) -> bytes:
        """One request for what is missing; the digest when that was all.

        Raises:
            PassingFault: the body broke off, or did not come in time.
            BlobChanged: it is longer, or the answer has another ETag.
            AzureError: the request was refused.
        """

        def take(answer: PipelineResponse[Any, Any]) -> None:
            self._take(answer, turn)

        left = self._state.size - self._received
        if left > 0:
            with suppress(_BodyTaken):
                self._download(offset=self._received, length=left, raw_response_hook=take)
        if self._received < self._state.size:
            raise PassingFault(
                f"the content broke off at byte {self._received} of {self._state.size}"
            )
        if self._received > self._state.size:
            raise blob_changed(self._state.uri)
        return self._hash.digest()

    def _take(self, answer: PipelineResponse[Any, Any], turn: Turn) -> None:
        turn.answered()
        response = answer.http_response
        if response.status_code not in (200, 206):
            return
        body = response.internal_response
        etag = response.headers.get("ETag", "").strip('"')
        if etag and etag != self._state.etag:
            body.close()
            raise blob_changed(self._state.uri)
        if response.status_code == 200:
            # All of it, though the rest was asked for.
            self._hash, self._received = sha256(), 0
        try:
            # read1 gives what has arrived: a body that trickles cannot hide behind a full buffer.
            while piece := body.raw.read1(_PIECE, decode_content=False):
                self._hash.update(piece)
                self._received += len(piece)
                if self._now() >= turn.deadline:
                    raise PassingFault(
                        f"only {self._received} of {self._state.size} bytes came in time"
                    )
        except (HTTPError, OSError) as error:
            is_silent = "timed out" in str(error).lower()
            why = "the content stopped coming" if is_silent else "the connection broke"
            raise PassingFault(why) from error
        finally:
            if self._received < self._state.size:
                # Unread bytes would be taken for the next answer on this connection.
                body.close()
            else:
                body.raw.release_conn()
        raise _BodyTaken
