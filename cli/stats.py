"""`dedup stats`: what is in an index, in numbers and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.config import Settings
from cli.options import ConfigOption, IndexOption, JsonOption, SilentOption, settings_from

if TYPE_CHECKING:
    from resolve.collection import Collection

EXAMPLE = "Examples:\n\n\b\n  dedup stats\n  dedup stats --plot collection.svg --lists dedup-lists"


def register(app: typer.Typer) -> None:
    app.command("stats", epilog=EXAMPLE)(_command)


def _command(
    index: IndexOption = None,
    lists: Annotated[
        Path | None,
        typer.Option("--lists", metavar="DIR", help="What resolve wrote. Default: ./dedup-lists"),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw it too: a .png or an .svg file."),
    ] = None,
    json: JsonOption = None,
    quiet: SilentOption = None,
    config: ConfigOption = None,
) -> None:
    """Show sizes, formats, duplicates over time and, as a picture, a map of the embeddings."""
    run(settings_from(config, index=index, out=lists, json=json, quiet=quiet), plot)


def run(settings: Settings, plot: Path | None) -> None:
    """Print the numbers, and draw them into the file where one is given.

    Raises:
        DedupError: the index or the lists cannot be read, or the file cannot be written.
    """
    from cli.output import print_json
    from cli.progress import steps
    from resolve.collection import describe_collection
    from storage.catalog import Catalog
    from storage.errors import UsageError
    from storage.index_directory import IndexDirectory

    if plot is not None and plot.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"{plot} is neither a .png nor an .svg file.", "Name one with --plot.")
    directory = IndexDirectory.open(settings.index)
    with steps("stats", settings) as step, Catalog.open_reader(directory.catalog_path) as catalog:
        step("counting")
        found = describe_collection(catalog, settings.out)
        if plot is not None:
            step("drawing")
            _draw(found, plot)
    if settings.json:
        print_json(found)
    else:
        _print(found)
        if plot is not None:
            print(f"drawn in {plot}")


def _draw(found: Collection, plot: Path) -> None:
    from storage.errors import ModelError, UsageError

    try:
        from cli.stats_plot import draw
    except ModuleNotFoundError as error:
        raise ModelError(
            f"--plot needs the package {error.name}, which is not installed.",
            "Install it with pip install 'dedup[plot]'.",
        ) from error
    try:
        draw(found, plot)
    except OSError as error:
        raise UsageError(
            f"{plot} cannot be written ({error.strerror or error}).", "Check the path."
        ) from error


def _print(found: Collection) -> None:
    from cli.output import bytes_text, plural
    from cli.stats_words import BYTES_WORDS, PIXELS_WORDS

    print(
        f"{plural(found.files, 'file')}, {bytes_text(found.bytes)}, {plural(found.images, 'image')}"
        f", {found.unreadable:,} unreadable"
    )
    if found.duplicates is None:
        print("no lists: dedup resolve tells which files are duplicates")
    else:
        print(f"{plural(found.duplicates, 'file')} may go")
    print("images by format  " + _row(found.formats.items()))
    print("images by pixels  " + _row(zip(PIXELS_WORDS, found.pixels, strict=True)))
    print("files by bytes    " + _row(zip(BYTES_WORDS, found.file_bytes, strict=True)))


def _row(counts: object) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts if count)  # type: ignore[attr-defined]
