"""`dedup info --check`: whether everything in an index is what was written there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.errors import IndexStorageError

if TYPE_CHECKING:
    from cli.results import IndexCheck
    from storage.index_directory import IndexDirectory


def check_index(directory: IndexDirectory) -> IndexCheck:
    """Look at everything; no process may write meanwhile.

    Raises:
        IndexLocked: one does.
        IndexStorageError: the directory cannot be read.
    """
    from cli.results import IndexCheck
    from search.check import unusable_files
    from storage.catalog import Catalog
    from storage.check import check_catalog

    with directory.read_lock():
        report = check_catalog(directory.catalog_path)
        search: dict[str, str] = {}
        if report.is_sound:
            with Catalog.open_reader(directory.catalog_path) as catalog:
                search = unusable_files(directory, catalog)
    return IndexCheck(report, search)


def print_check(check: IndexCheck) -> None:
    """The findings, one a line."""
    from cli.output import plural, printable

    report = check.catalog
    looked_at = ", ".join(
        (
            plural(report.blobs, "blob"),
            plural(report.images, "image"),
            plural(report.verdicts, "verdict"),
        )
    )
    print(f"check       {looked_at} looked at")
    if report.without_sums:
        print(
            f"check       {plural(report.without_sums, 'image')} stored by an earlier version, "
            "without checksums"
        )
    for problem in report.problems:
        print(f"damaged     {printable(problem.what)} ({problem.count:,} times)")
        print(f"            as in {printable(problem.example)}")
    for model, reason in check.search.items():
        print(f"damaged     the search index of {model}: {reason}")
    if check.is_sound:
        print("check       everything is what was written")


def require_sound(directory: IndexDirectory, check: IndexCheck) -> None:
    """Raises IndexStorageError when something was found."""
    if check.is_sound:
        return
    count = len(check.catalog.problems) + len(check.search)
    what = "one thing is" if count == 1 else f"{count} things are"
    raise IndexStorageError(
        f"The index {directory.path} is damaged: {what} not as written.",
        f"Run `dedup repair --index {directory.path}`: it keeps what is sound and changes no "
        "picture.",
    )
