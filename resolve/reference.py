"""Opening a reference index beside the index that is resolved against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from search.index_set import IndexSet
from search.options import SearchOptions
from search.self_join import Reference
from storage.catalog import Catalog
from storage.catalog_view import CatalogView
from storage.errors import NotAnIndex, UsageError
from storage.index_directory import IndexDirectory
from storage.joint_catalog import JointCatalog
from storage.joint_ids import JointIds


@dataclass(frozen=True, slots=True, eq=False)
class OpenReference:
    """The two indexes together.

    Attributes:
        catalog: of both. candidates: for `candidate_pairs`.
        open_catalog: opens the same in another process, for records and previews.
    """

    catalog: JointCatalog
    candidates: Reference
    open_catalog: Callable[[], CatalogView]


@contextmanager
def open_reference(
    path: Path, directory: IndexDirectory, catalog: Catalog, options: SearchOptions
) -> Iterator[OpenReference]:
    """The reference index at `path`, which is only read, and which nobody else writes meanwhile.

    Args:
        directory, catalog: the index that is resolved. Its search indexes were opened before.

    Raises:
        UsageError: it is the same index.
        NotAnIndex: there is none, or nothing is in it yet.
        IndexMismatch: made with other models or parameters; or it contradicts the index about the
            content of a file.
        IndexLocked: another process is writing to it.
        IndexStorageError: it cannot be read.
    """
    other = IndexDirectory.open(path)
    if other.path.samefile(directory.path):
        raise UsageError(
            f"{path} is the index itself: it cannot be resolved against itself.",
            "Name another index with --against, or leave it out.",
        )
    with other.read_lock(), Catalog.open_reader(other.catalog_path) as reference:
        _require_comparable(directory, catalog, other, reference)
        indexes = IndexSet.open(other, reference, options, is_writable=False)
        joint = JointCatalog(catalog, reference, JointIds.matching(catalog, reference))
        joint.require_agreement()
        yield OpenReference(
            joint,
            Reference(indexes, joint.ids),
            partial(
                JointCatalog.open_readers,
                directory.catalog_path,
                other.catalog_path,
                joint.ids.own_last,
                joint.ids.reference_last,
            ),
        )


def _require_comparable(
    directory: IndexDirectory, catalog: Catalog, other: IndexDirectory, reference: Catalog
) -> None:
    ours, theirs = catalog.parameters(), reference.parameters()
    if theirs is None or not reference.image_count:
        # Silently nothing would be found in it.
        raise NotAnIndex(
            f"The reference index {other.path} holds no images.",
            f"Fill it with `dedup index SOURCE --index {other.path}`.",
        )
    if ours is not None:
        ours.require_comparable(theirs, str(directory.path), str(other.path))
