"""`dedup repair`: a sound index out of a damaged one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cli.config import Settings
from cli.options import ConfigOption, IndexOption, JsonOption, SilentOption, settings_from

if TYPE_CHECKING:
    from cli.results import Repair
    from storage.repair import RepairReport

EXAMPLE = "Example:\n\n\b\n  dedup info --check --index big-index\n  dedup repair --index big-index"


def register(app: typer.Typer) -> None:
    app.command("repair", epilog=EXAMPLE)(_command)


def _command(
    index: IndexOption = None,
    json: JsonOption = None,
    quiet: SilentOption = None,
    config: ConfigOption = None,
) -> None:
    """Keep what is sound of a damaged index; what is not, the next `dedup index` reads again.

    The damaged catalog stays beside the new one, to be removed by hand. No picture is touched.
    """
    run(settings_from(config, index=index, json=json, quiet=quiet))


def run(settings: Settings) -> None:
    """Repair the index and print what was done.

    Raises:
        IndexDirectoryError: it is no index, another process uses it, or nothing can be saved.
    """
    from cli.output import print_json
    from cli.progress import steps
    from cli.results import Repair
    from search.check import drop_unusable_files
    from storage.catalog import Catalog
    from storage.check import check_catalog
    from storage.index_directory import IndexDirectory
    from storage.repair import repair_catalog

    directory = IndexDirectory.open(settings.index)
    with directory.write_lock(), steps("repair", settings) as step:
        carried: RepairReport | None = None
        is_there = directory.catalog_path.exists()
        step("reading all of the index")
        if not is_there or not check_catalog(directory.catalog_path).is_sound:
            step("carrying over what is sound")
            carried = repair_catalog(directory.catalog_path)
        step("looking at the search indexes")
        with Catalog.open_reader(directory.catalog_path) as catalog:
            dropped = drop_unusable_files(directory, catalog)
            sources = sorted({entry.source for entry in catalog.blobs()})
    done = Repair(carried, dropped)
    if settings.json:
        print_json(done)
    else:
        _print(done, sources)


def _print(done: Repair, sources: list[str]) -> None:
    from cli.output import plural, printable

    if done.catalog is None and not done.search:
        print("Nothing is damaged.")
    if done.catalog is not None:
        kept = done.catalog
        print(
            f"{plural(kept.images, 'image')}, {plural(kept.blobs + kept.unreadable, 'blob')} and "
            f"{plural(kept.verdicts, 'verdict')} are sound and kept"
        )
        print(f"{plural(kept.lost_images, 'image')} not; to read them again, index the sources:")
        for source in sources:
            print(f"  dedup index {printable(source)}")
        if kept.old:
            print(f"The damaged catalog is now {printable(kept.old)}: remove it when all is well.")
    for model in done.search:
        print(f"The search index of {model} was damaged: it is built anew when it is needed.")
