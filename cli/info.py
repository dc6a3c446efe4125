"""`dedup info`: what an index holds, how large it is, and whether it is sound."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.checking import check_index, print_check, require_sound
from cli.config import Settings
from cli.options import ConfigOption, IndexOption, JsonOption, SilentOption, settings_from

if TYPE_CHECKING:
    from cli.progress import Step
    from cli.results import Information
    from storage.index_directory import IndexDirectory
    from storage.runs import Run

EXAMPLE = "Example:\n\n\b\n  dedup info --index big-index"


def register(app: typer.Typer) -> None:
    app.command("info", epilog=EXAMPLE)(_command)


def _command(
    index: IndexOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Read all of it and say what is damaged.")
    ] = False,
    json: JsonOption = None,
    quiet: SilentOption = None,
    config: ConfigOption = None,
) -> None:
    """Show what an index holds: blobs, images, models, sizes, health, and its last run."""
    run(settings_from(config, index=index, json=json, quiet=quiet), is_checked=check)


def run(settings: Settings, *, is_checked: bool = False) -> None:
    """Print what the index holds.

    Args:
        is_checked: whether all of it is read first. Of a damaged index only what is wrong is said.

    Raises:
        IndexDirectoryError: it is no index, cannot be read, or is damaged.
    """
    from cli.output import print_json
    from cli.progress import steps
    from cli.results import Damaged
    from storage.index_directory import IndexDirectory

    directory = IndexDirectory.open(settings.index)
    check, information = None, None
    with steps("info", settings) as step:
        if is_checked:
            step("reading all of the index")
            check = check_index(directory)
        if check is None or check.is_sound:
            information = describe_index(directory, step)
    if check is not None and not check.is_sound:
        if settings.json:
            print_json(Damaged(check))
        else:
            print_check(check)
        require_sound(directory, check)
    assert information is not None
    if settings.json:
        print_json(replace(information, check=check))
        return
    _print(information)
    if check is not None:
        print_check(check)


def describe_index(directory: IndexDirectory, step: Step) -> Information:
    """Everything `dedup info` says.

    Args:
        step: is told what comes next.

    Raises:
        IndexDirectoryError: it cannot be read.
    """
    from cli.results import Information
    from search.index_set import IndexSet
    from search.options import SearchOptions
    from storage.catalog import Catalog
    from storage.records import BlobStatus

    with Catalog.open_reader(directory.catalog_path) as catalog:
        parameters = catalog.parameters()
        counts = catalog.blob_counts
        step("counting blobs")
        sources: Counter[str] = Counter(entry.source for entry in catalog.blobs())
        runs = list(catalog.runs())
        step("opening the search indexes")
        return Information(
            index=directory.path.resolve(),
            blobs=sum(counts.values()),
            indexed=counts.get(BlobStatus.INDEXED, 0),
            unreadable=counts.get(BlobStatus.UNREADABLE, 0),
            images=catalog.image_count,
            removed_images=catalog.removals,
            sources=dict(sorted(sources.items())),
            parameters=parameters,
            search=IndexSet.open(directory, catalog, SearchOptions()).describe(),
            preview_bytes=catalog.preview_bytes,
            catalog_bytes=_disk_use(directory.catalog_path),
            search_bytes=_disk_use(directory.faiss_path),
            last_run=runs[-1] if runs else None,
        )


def _disk_use(folder: Path) -> int:
    """Bytes on disk: LMDB's file is sparse, its length says nothing."""
    if not folder.is_dir():
        return 0
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def _print(information: Information) -> None:
    from cli.output import bytes_text, printable

    print(f"index       {printable(str(information.index))}")
    print(
        f"blobs       {information.blobs:,}: {information.indexed:,} indexed, "
        f"{information.unreadable:,} unreadable"
    )
    print(f"images      {information.images:,} different contents")
    for source, count in information.sources.items():
        print(f"source      {printable(source)}  ({count:,} blobs)")
    parameters = information.parameters
    if parameters is None:
        print("models      none yet: nothing has been indexed")
    else:
        for model in parameters.models:
            print(
                f"model       {model.name}: {model.dimension} dimensions, {model.input_size} px, "
                f"{model.runtime}, weights {model.fingerprint[:12]}"
            )
        images = max(1, information.images)
        print(
            f"previews    {parameters.preview_size} px, "
            f"{bytes_text(information.preview_bytes // images)} an image"
        )
    for line in information.search:
        print(f"search      {line}")
    print(
        f"on disk     {bytes_text(information.catalog_bytes)} catalog, "
        f"{bytes_text(information.search_bytes)} search indexes"
    )
    run = information.last_run
    print(f"last run    {'none' if run is None else _run_text(run)}")


def _run_text(run: Run) -> str:
    """When it was and what came of it."""
    from cli.output import seconds_text

    started = datetime.fromtimestamp(run.started_at).astimezone()
    text = f"{started:%Y-%m-%d %H:%M}"
    if run.finished_at is None:
        return f"{text}, did not finish: run it again"
    counts = ", ".join(f"{count} {name}" for name, count in run.counts.items() if count)
    return f"{text}, {seconds_text(run.finished_at - run.started_at)}: {counts}"
