"""Images that may become the keeper of their pool, and what of their blobs counts for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from resolve.blobs import BlobCensus, plan_blobs
from resolve.preferences import Preference, PreferenceKind, Prefixes
from storage.catalog_view import CatalogView
from storage.records import ImageRecord

# Some 3 kB each.
_IN_MEMORY = 4096


@dataclass(frozen=True, slots=True)
class CandidateFiles:
    """The blobs of a candidate.

    Attributes:
        uri: of the blob that would stay.
        last_modified: of the oldest blob, seconds since the epoch.
        preferred: for each rule of `--prefer` about folders, whether a blob lies under it.
        is_protected: a blob lies under a protected prefix.
    """

    uri: str
    last_modified: float
    preferred: tuple[bool, ...] = ()
    is_protected: bool = False


@dataclass(eq=False)
class Candidate:
    """An image that may become the keeper, or that witnesses what the others are.

    Attributes:
        image_id: of the catalog.
        record: of the image.
        files_of: of an image id. Few choices need more than the records: it is asked then.
        is_decided: somebody decided to keep it.
        is_reference: in the reference index.
        may_be_protected: False where none of its blobs is, which saves asking.
    """

    image_id: int
    record: ImageRecord
    files_of: Callable[[int], CandidateFiles]
    is_decided: bool = False
    is_reference: bool = False
    may_be_protected: bool = True

    @cached_property
    def files(self) -> CandidateFiles:
        """Its blobs, looked up once."""
        return self.files_of(self.image_id)

    @property
    def is_protected(self) -> bool:
        """A blob lies under a protected prefix."""
        return self.may_be_protected and self.files.is_protected


class CatalogCandidates:
    """Candidates from the catalog, for the keeper rules.

    Args:
        prefer: the rules of `--prefer`.
        decided: images that somebody decided to keep.
    """

    def __init__(
        self,
        catalog: CatalogView,
        census: BlobCensus,
        prefer: Sequence[Preference],
        decided: frozenset[int],
    ) -> None:
        self._catalog = catalog
        self._census = census
        self._prefer = tuple(prefer)
        self._folders = [
            Prefixes((wish.value,)) for wish in self._prefer if wish.kind is PreferenceKind.FOLDER
        ]
        self._decided = decided
        # An image is a candidate in duels, in the choice that is foreseen and in the one made.
        self.candidate = lru_cache(_IN_MEMORY)(self._candidate)

    def _candidate(self, image_id: int) -> Candidate:
        return Candidate(
            image_id,
            self._catalog.record(image_id),
            self._files_of,
            is_decided=image_id in self._decided,
            is_reference=image_id in self._census.reference_images,
            may_be_protected=image_id in self._census.protected_images,
        )

    def _files_of(self, image_id: int) -> CandidateFiles:
        entries = self._catalog.blobs_of(image_id)
        return CandidateFiles(
            uri=plan_blobs(entries, self._census, self._prefer).kept.uri,
            last_modified=min(entry.last_modified for entry in entries),
            preferred=tuple(
                any(folder.match(entry.uri) for entry in entries) for folder in self._folders
            ),
            is_protected=any(self._census.is_under_prefix(entry) for entry in entries),
        )
