"""`dedup index`: one pass over every image of the sources."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from cli.config import Settings
from cli.options import (
    AccountUrlOption,
    AddressOption,
    ConfigOption,
    DeviceOption,
    EngineOption,
    IndexOption,
    JsonOption,
    MemoryOption,
    QuietOption,
    RateOption,
    RuntimeOption,
    settings_from,
)

if TYPE_CHECKING:
    from indexer.run_report import IndexReport


class OnePass(Protocol):
    """Makes one pass: over everything, or over the blobs of these names."""

    def __call__(self, names: Sequence[str] | None = None) -> IndexReport:
        """What it did."""


EXAMPLE = (
    "Examples:\n\n\b\n"
    "  dedup index ~/Pictures\n"
    "  dedup index az://photos/2024 --account-url https://ACCOUNT.blob.core.windows.net "
    "--index big-index\n"
    "  dedup index az://photos https://OTHER.blob.core.windows.net/scans --exclude thumbs/ "
    "--since 2024-05-01\n"
    "  dedup index az://photos --engine ray --address HEAD:6379 --max-requests-per-second 2000\n"
    "  dedup index az://photos --watch --event-queue https://ACCOUNT.queue.core.windows.net/QUEUE"
)


def register(app: typer.Typer) -> None:
    app.command("index", epilog=EXAMPLE, no_args_is_help=True)(_command)


def _command(
    source: Annotated[
        list[str],
        typer.Argument(help="A folder, az://CONTAINER[/PREFIX], or the https address of either."),
    ],
    index: IndexOption = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME[=PATH]",
            help="Embedding model, and its weights; repeat for several. `dedup models` lists "
            "them. "
            "Default: efficientnet_lite0",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", help="Processes that decode. Default: one a core"),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            "--include",
            metavar="GLOB",
            help="Look only at names that match, as *.jpg or 2024/**; repeat for several.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude", metavar="GLOB", help="Leave out names that match, as thumbs/; repeat."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="DATE", help="Look only at what was modified then or later."
        ),
    ] = None,
    trust_md5: Annotated[
        bool | None,
        typer.Option(
            "--trust-md5",
            help="Do not read a blob that has the size and MD5 of one that was read; `dedup apply` "
            "reads both before anything is done.",
        ),
    ] = None,
    readers: Annotated[
        int | None,
        typer.Option("--readers", metavar="N", help="Reads under way at once. Default: 8"),
    ] = None,
    watch: Annotated[
        bool | None,
        typer.Option("--watch", help="Go on looking for what is new, until Ctrl-C."),
    ] = None,
    interval: Annotated[
        float | None,
        typer.Option("--interval", metavar="S", help="Seconds between two looks. Default: 300"),
    ] = None,
    relist_interval: Annotated[
        float | None,
        typer.Option(
            "--relist-interval",
            metavar="S",
            help="Seconds between full listings where a queue or a feed tells what has changed. "
            "Default: 86400",
        ),
    ] = None,
    event_queue: Annotated[
        list[str] | None,
        typer.Option(
            "--event-queue",
            metavar="URL",
            help="https://ACCOUNT.queue.core.windows.net/QUEUE that Event Grid delivers to.",
        ),
    ] = None,
    change_feed: Annotated[
        bool | None,
        typer.Option("--change-feed", help="Ask the change feed of the sources' accounts."),
    ] = None,
    max_requests_per_second: RateOption = None,
    account_url: AccountUrlOption = None,
    preview_size: Annotated[
        int | None,
        typer.Option(
            "--preview-size", metavar="PX", help="Longer side of stored previews. Default: 640"
        ),
    ] = None,
    image_timeout: Annotated[
        float | None,
        typer.Option("--image-timeout", metavar="S", help="Seconds per image. Default: 60"),
    ] = None,
    max_megapixels: Annotated[
        float | None,
        typer.Option(
            "--max-megapixels", metavar="MP", help="Larger images count as unreadable. Default: 200"
        ),
    ] = None,
    max_megabytes: Annotated[
        float | None,
        typer.Option(
            "--max-megabytes", metavar="MIB", help="Larger files count as unreadable. Default: 512"
        ),
    ] = None,
    image_memory: Annotated[
        float | None,
        typer.Option("--image-memory", metavar="MIB", help="Memory for one image. Default: 4096"),
    ] = None,
    memory: MemoryOption = None,
    runtime: RuntimeOption = None,
    device: DeviceOption = None,
    engine: EngineOption = None,
    address: AddressOption = None,
    json: JsonOption = None,
    quiet: QuietOption = None,
    config: ConfigOption = None,
) -> None:
    """Read every new or changed image once and store what is needed to find its duplicates.

    Run it again after the collection has changed, or after a stop: it carries on from there.
    What --include, --exclude and --since leave out is not gone: it stays in the index as it was.
    """
    settings = settings_from(
        config,
        index=index,
        model=model,
        workers=workers,
        include=include,
        exclude=exclude,
        since=since,
        trust_md5=trust_md5,
        readers=readers,
        watch=watch,
        interval=interval,
        relist_interval=relist_interval,
        event_queue=event_queue,
        change_feed=change_feed,
        max_requests_per_second=max_requests_per_second,
        account_url=account_url,
        preview_size=preview_size,
        image_timeout=image_timeout,
        image_memory=image_memory,
        max_megapixels=max_megapixels,
        max_megabytes=max_megabytes,
        memory=memory,
        runtime=runtime,
        device=device,
        engine=engine,
        address=address,
        json=json,
        quiet=quiet,
    )
    run(source, settings)


def run(locations: list[str], settings: Settings) -> None:
    """Index the sources and print the summary.

    Raises:
        DedupError: as the sources, the index directory, the models and the pass raise it.
    """
    from cli.index_summary import print_summary
    from cli.output import print_json
    from cli.watching import open_change_sources, require_watching, watch
    from storage.resident import bounded_memory
    from storage.worker_processes import schedule_as_batch

    require_watching(settings)
    schedule_as_batch()
    with ExitStack() as stack, bounded_memory(settings.memory_of_each):
        changes = open_change_sources(locations, settings, stack)
        one_pass = prepared(locations, settings, stack)
        if settings.watch:
            watch(one_pass, one_pass, changes, settings)
            return
        report = one_pass()
    if settings.json:
        print_json(report)
    elif not settings.quiet:
        print_summary(report, settings.index)


def prepared(locations: list[str], settings: Settings, stack: ExitStack) -> OnePass:
    """What makes a pass over the sources, or over the blobs with the names given.

    Raises:
        DedupError: as above.
    """
    from cli.index_summary import IndexDisplay
    from cli.loading import decode_limits, load_embedders, on_cluster, open_sources
    from cli.memory import within_memory
    from cli.progress import display
    from indexer.index_pass import IndexOptions, index
    from indexer.memory import resident_memory
    from indexer.selection import Selection
    from storage.index_directory import IndexDirectory
    from storage.source import PagedSource

    before = resident_memory()
    selection = Selection(settings.include, settings.exclude, settings.since)
    # Models take seconds to load: what is wrong with a source or the index is said before.
    with ExitStack() as only_now:
        for source in open_sources(locations, settings, only_now):
            if isinstance(source, PagedSource):
                source.check()
            else:
                next(iter(source.list()), None)
    if settings.index.exists() or not _may_be_made(settings.index):
        IndexDirectory.create(settings.index)
    sources = open_sources(locations, settings, stack)
    remote = on_cluster(sources, locations, settings, stack)
    embedders = load_embedders(settings) if remote is None else []
    directory = IndexDirectory.create(settings.index)
    options = IndexOptions(
        workers=settings.workers,
        preview_size=settings.preview_size,
        limits=decode_limits(settings),
        image_timeout=settings.image_timeout,
        readers=settings.readers,
        selection=selection,
        trusts_md5=settings.trust_md5,
    )
    if remote is None:
        options = within_memory(options, settings, before)

    def one_pass(names: Sequence[str] | None = None) -> IndexReport:
        with display("indexing", settings) as shown:
            listener = IndexDisplay(shown)
            return index(sources, directory, embedders, options, listener, names, remote)

    return one_pass


def _may_be_made(path: Path) -> bool:
    """Whether the nearest folder above that exists can be written to."""
    parent = path.absolute()
    while not parent.exists():
        parent = parent.parent
    return os.access(parent, os.W_OK)
