"""Every error this project raises on purpose.

    DedupError                     one line for the user, an exit code, never a traceback
    ├── UsageError                 the user fixes the command, the configuration or a path
    │   ├── SourceNotFound         no such folder or container
    │   ├── CredentialsError       missing, expired or insufficient
    │   ├── EmptySource            nothing there that looks like an image
    │   └── ImageInputError        the image of a query cannot be read
    ├── IndexDirectoryError        the index directory is not usable as it is
    │   ├── NotAnIndex             the directory holds no index
    │   ├── IndexMismatch          made with other models or parameters, or a newer schema
    │   ├── IndexLocked            another process is writing to it
    │   └── IndexStorageError      disk full, read-only, input/output fault
    ├── ModelError                 weights missing, damaged, or a package not installed
    ├── ClusterError               a cluster that answered does not any more
    └── SourceError                one request to a source failed
        ├── ListingExpired         a listing cannot be carried on from where it was left
        ├── BlobVanished           listed, then gone
        ├── BlobChanged            listed with another ETag than it has now
        ├── BlobUnreadable         the service refuses this blob for good (archived, forbidden)
        ├── BlobConflict           something else is where a blob is to be put
        ├── ActRefused             the blob may not be changed (leased, immutable, not permitted)
        └── SourceUnavailable      throttled, timed out, connection lost: retries are spent

An image that cannot be decoded is data, not an error: it is `unreadable` with its reason.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What `dedup` exits with."""

    OK = 0
    BUG = 1
    USAGE = 2
    SOURCE = 3
    CREDENTIALS = 4
    INDEX = 5
    STORAGE = 6
    MODEL = 7
    LOCKED = 8
    CLUSTER = 9
    INTERRUPTED = 130


class DedupError(Exception):
    """Something a person can fix.

    Args:
        message: what is wrong, naming the input.
        remedy: what to do about it.
    """

    exit_code: ExitCode = ExitCode.USAGE

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()

    def __reduce__(self) -> tuple[type[DedupError], tuple[str, str]]:
        return type(self), (self.message, self.remedy)


class UsageError(DedupError):
    """The command, the configuration or a path is wrong."""


class SourceNotFound(UsageError):
    """No such folder or container."""

    exit_code = ExitCode.SOURCE


class CredentialsError(UsageError):
    """Credentials are missing, expired or do not suffice."""

    exit_code = ExitCode.CREDENTIALS


class EmptySource(UsageError):
    """Nothing in the source looks like an image."""

    exit_code = ExitCode.SOURCE


class ImageInputError(UsageError):
    """The image of a query cannot be read or decoded."""


class IndexDirectoryError(DedupError):
    """The index directory cannot be used as it is."""

    exit_code = ExitCode.INDEX


class NotAnIndex(IndexDirectoryError):
    """The directory holds no index."""


class IndexMismatch(IndexDirectoryError):
    """The index was made with other models or parameters, or by a newer version."""


class IndexLocked(IndexDirectoryError):
    """Another process is writing to this index."""

    exit_code = ExitCode.LOCKED


class IndexStorageError(IndexDirectoryError):
    """The disk is full, read-only or faulty."""

    exit_code = ExitCode.STORAGE


class ModelError(DedupError):
    """Weights are missing or damaged, or a package is not installed."""

    exit_code = ExitCode.MODEL


class ClusterError(DedupError):
    """A cluster of machines that answered does not any more."""

    exit_code = ExitCode.CLUSTER


class SourceError(DedupError):
    """One request to a source failed."""

    exit_code = ExitCode.SOURCE


class ListingExpired(SourceError):
    """A listing cannot be carried on from where it was left; it can be begun again."""


class BlobVanished(SourceError):
    """The blob was listed and is gone."""


class BlobChanged(SourceError):
    """The blob has another ETag than the one it was listed with."""


class BlobUnreadable(SourceError):
    """The service or file system refuses this blob for good."""


class BlobConflict(SourceError):
    """Something else is where a blob is to be put; nothing is ever written over."""


class ActRefused(SourceError):
    """The store does not let this blob be changed, or cannot do what is asked with it."""


class SourceUnavailable(SourceError):
    """Throttled, timed out or disconnected, and the retries are spent."""
