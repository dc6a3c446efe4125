"""`dedup resolve`: what to keep, what to delete, and why."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.config import Settings
from cli.options import (
    AddressOption,
    ConfigOption,
    DeviceOption,
    EngineOption,
    IndexOption,
    JsonOption,
    MatcherOption,
    MemoryOption,
    QuietOption,
    StrictnessOption,
    settings_from,
)

if TYPE_CHECKING:
    from resolve.earlier import Earlier
    from resolve.effort import Effort
    from resolve.summary import Summary
    from resolve.verdict_workers import VerdictPool
    from storage.catalog import Catalog
    from storage.catalog_view import CatalogView
    from storage.cluster import Cluster
    from storage.index_directory import IndexDirectory


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a resolve has made.

    Attributes:
        summary: as summary.json has it. report: where report.html is.
        effort: what the verdicts have cost.
        capped: images with more neighbours than were looked at.
    """

    summary: Summary
    report: Path
    effort: Effort
    capped: int


# In the index or beside the lists: what people decided earlier.
DECISIONS = "decisions.jsonl"

EXAMPLE = (
    "Examples:\n\n\b\n"
    "  dedup resolve\n"
    "  dedup resolve --index big-index --out lists --strictness balanced "
    "--prefer folder:/photos/originals\n"
    "  dedup resolve --index new-index --against archive-index"
)


def register(app: typer.Typer) -> None:
    app.command("resolve", epilog=EXAMPLE)(_command)


def _command(
    index: IndexOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where the lists go. Default: ./dedup-lists"),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="INDEX",
            help="A reference index: its images stay, and copies of them may go.",
        ),
    ] = None,
    strictness: StrictnessOption = None,
    matcher: MatcherOption = None,
    prefer: Annotated[
        list[str] | None,
        typer.Option(
            "--prefer",
            metavar="RULE",
            help="Which copy to keep: folder:PREFIX, format:NAME, largest, smallest, oldest, "
            "newest; repeat, most important first.",
        ),
    ] = None,
    second_look: Annotated[
        str | None,
        typer.Option(
            "--second-look",
            metavar="NAME[=PATH]",
            help="What gets the pairs that the matchers leave open, in batches: auto (LoFTR where "
            "there is a GPU), loftr, none. Default: auto",
        ),
    ] = None,
    device: DeviceOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="N", help="Processes that search and verify. Default: one a core"
        ),
    ] = None,
    memory: MemoryOption = None,
    protect: Annotated[
        list[str] | None,
        typer.Option(
            "--protect", metavar="PREFIX", help="Folder or az:// prefix never to delete from."
        ),
    ] = None,
    raw_pairs: Annotated[
        str | None,
        typer.Option(
            "--raw-pairs",
            metavar="WHICH",
            help="Of a RAW file and the JPEG of the same name that shows the same, stay: keep "
            "(both), jpeg, raw. Default: keep",
        ),
    ] = None,
    engine: EngineOption = None,
    address: AddressOption = None,
    json: JsonOption = None,
    quiet: QuietOption = None,
    config: ConfigOption = None,
) -> None:
    """Find the copies, verify them on pixels, choose keepers, write the lists. Deletes nothing."""
    settings = settings_from(
        config,
        index=index,
        out=out,
        against=against,
        workers=workers,
        memory=memory,
        strictness=strictness,
        matcher=matcher,
        second_look=second_look,
        prefer=prefer,
        protect=protect,
        raw_pairs=raw_pairs,
        device=device,
        engine=engine,
        address=address,
        json=json,
        quiet=quiet,
    )
    run(settings)


def run(settings: Settings) -> None:
    """Resolve the index into lists, and print the summary.

    Raises:
        DedupError: the index, a model or the folder for the lists cannot be used.
    """
    from cli.output import print_json
    from cli.resolve_summary import print_summary

    done = resolved(settings)
    if settings.json:
        print_json(done.summary)
    elif not settings.quiet:
        print_summary(done.summary, settings, done.report, effort=done.effort, capped=done.capped)


def resolved(settings: Settings) -> Resolved:
    """Resolve the index into lists.

    Raises:
        DedupError: as above.
    """
    from cli.loading import load_second_look, load_verifier, open_cluster
    from cli.memory import memory_of_resolve
    from cli.progress import display
    from cli.resolve_summary import ResolveDisplay
    from resolve.decisions import read_decisions
    from resolve.earlier import key_of, read_earlier
    from resolve.effort import Effort
    from resolve.lists import write_lists
    from resolve.needed_pairs import Ahead
    from resolve.open_pairs import OpenPairs
    from resolve.raw_pairs import RawPairs
    from resolve.reference import open_reference
    from resolve.report import write_report
    from resolve.resolution import ResolveOptions
    from resolve.resolve import resolve
    from resolve.verdict_workers import VerdictWorkers
    from resolve.verdicts import PREVIEWS_IN_MEMORY, CachedVerdicts
    from search.index_set import IndexSet
    from search.join_cluster import JoinCluster
    from search.join_workers import JoinPool, JoinWorkers
    from search.options import SearchOptions
    from search.self_join import CandidateStatistics, candidate_pairs
    from storage.catalog import Catalog
    from storage.index_directory import IndexDirectory
    from storage.resident import bounded_memory

    directory = IndexDirectory.open(settings.index)
    verifier = load_verifier(settings)
    second_look = load_second_look(settings, verifier)
    options = ResolveOptions(
        prefer=settings.prefer,
        protect=settings.protect,
        decisions=read_decisions(directory.path / DECISIONS, settings.out / DECISIONS),
        verifier=verifier.version,
        raw_pairs=RawPairs(settings.raw_pairs),
        against=str(settings.against.resolve()) if settings.against else "",
    )
    _require_writable(settings.out)
    with ExitStack() as stack:
        cluster = open_cluster(settings, stack)
        memory = memory_of_resolve(settings) if cluster is None else None
        here = settings if memory is None else replace(settings, workers=memory.workers)
        stack.enter_context(bounded_memory(here.memory_of_each))
        index, is_writable = _open_catalog(directory, stack)
        search_options = SearchOptions()
        indexes = IndexSet.open(directory, index, search_options)
        catalog: CatalogView = index
        open_catalog: Callable[[], CatalogView] = partial(
            Catalog.open_reader, directory.catalog_path
        )
        reference = None
        if settings.against is not None:
            both = stack.enter_context(
                open_reference(settings.against, directory, index, search_options)
            )
            catalog, open_catalog, reference = both.catalog, both.open_catalog, both.candidates
        key = key_of(index, options, search_options)
        # What a reference index adds is not kept.
        earlier = None
        if reference is None:
            earlier = read_earlier(directory, key, indexes.image_ids)
        statistics = CandidateStatistics()
        searchers: JoinPool
        if cluster is None:
            searchers = stack.enter_context(
                JoinWorkers(directory.path, search_options, here.workers, here.memory_of_each)
            )
        else:
            searchers = JoinCluster(cluster, index, indexes, search_options)
        candidates = candidate_pairs(
            index,
            indexes,
            search_options,
            statistics,
            reference,
            searchers,
            None if earlier is None else earlier.searched,
        )
        shown = stack.enter_context(display("resolving", settings))
        verdicts = stack.enter_context(
            CachedVerdicts(
                catalog,
                verifier,
                is_writable=is_writable,
                previews_in_memory=PREVIEWS_IN_MEMORY if memory is None else memory.previews,
            )
        )
        pool = _pool(cluster, catalog, open_catalog, here)
        workers = stack.enter_context(VerdictWorkers(verdicts, pool))
        ahead: Ahead = workers.ahead
        if second_look is not None:
            ahead = OpenPairs(verdicts, second_look).after(ahead)
        resolution = resolve(
            catalog,
            candidates,
            verdicts,
            options,
            ResolveDisplay(shown),
            statistics,
            ahead,
            earlier,
        )
        verdicts.flush()
        spent = resolution.seconds["verify"] + resolution.seconds["group"]
        effort = Effort(verdicts.computed, spent, verdicts.costs)
        written: dict[str, str] = {}
        summary = write_lists(resolution, catalog, settings.out, effort, written)
        report = write_report(settings.out, catalog, summary)
        if is_writable and reference is None and statistics.searched is not None:
            _keep_for_later(directory, key, resolution.for_later(statistics.searched, written))
    return Resolved(summary, report, effort, statistics.capped_images)


def _keep_for_later(directory: IndexDirectory, key: str, earlier: Earlier) -> None:
    from resolve.earlier import write_earlier

    problem = write_earlier(directory, key, earlier)
    if problem:
        print(f"The next resolve will search for every image anew. {problem}", file=sys.stderr)


def _pool(
    cluster: Cluster | None,
    catalog: CatalogView,
    open_catalog: Callable[[], CatalogView],
    settings: Settings,
) -> VerdictPool:
    """The workers that verify pairs: processes here, or a cluster."""
    from cli.loading import load_verifier, verifying_gpu_share
    from resolve.verdict_cluster import VerdictCluster
    from resolve.verdict_processes import VerdictProcesses

    # What is sent elsewhere holds no secret.
    make_verifier = partial(load_verifier, replace(settings, connection_string=""))
    if cluster is None:
        return VerdictProcesses(
            open_catalog, make_verifier, settings.workers, settings.memory_of_each
        )
    return VerdictCluster(cluster, catalog, make_verifier, verifying_gpu_share(settings, cluster))


def _open_catalog(directory: IndexDirectory, stack: ExitStack) -> tuple[Catalog, bool]:
    """The catalog, to write verdicts into it where that is possible."""
    from storage.catalog import Catalog
    from storage.errors import IndexStorageError

    try:
        stack.enter_context(directory.write_lock())
        return stack.enter_context(Catalog.open_writer(directory.catalog_path)), True
    except IndexStorageError as error:
        print(f"Verdicts will not be stored for the next run. {error.message}", file=sys.stderr)
        return stack.enter_context(Catalog.open_reader(directory.catalog_path)), False


def _require_writable(folder: Path) -> None:
    """Fails now rather than after hours of verification.

    Raises:
        IndexStorageError: no file can be written there.
    """
    from resolve.output_folder import output_faults
    from storage.durable import make_folders

    with output_faults(folder):
        make_folders(folder)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(4096))
