"""The picture of `dedup stats --plot`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cli.output import bytes_text, plural
from cli.stats_words import BYTES_WORDS, PIXELS_WORDS
from resolve.collection import Collection, EmbeddingMap, Month

# Told apart in grey too, and by people who see red and green alike (Okabe and Ito).
_STAYS, _GOES, _QUIET = "#0072b2", "#d55e00", "#666666"
_MOST_MONTHS = 60
_MOST_FORMATS = 8
_LEAST_BARS = 6


def draw(found: Collection, path: Path) -> None:
    """Write a PNG or an SVG, by the suffix.

    Raises:
        OSError: the file cannot be written.
    """
    # Not pyplot: nothing is shown, and no display is looked for.
    figure = Figure(figsize=(12, 10), layout="constrained")
    figure.suptitle(
        f"{plural(found.files, 'file')}, {bytes_text(found.bytes)}, "
        f"{plural(found.images, 'different image')}, {found.unreadable:,} unreadable",
        fontsize=14,
    )
    grid = figure.add_gridspec(3, 2, height_ratios=(1, 1, 1.6))
    formats = dict(list(found.formats.items())[:_MOST_FORMATS])
    _bars(figure.add_subplot(grid[0, 0]), "Images by pixels", PIXELS_WORDS, found.pixels)
    _bars(figure.add_subplot(grid[0, 1]), "Files by bytes", BYTES_WORDS, found.file_bytes)
    _bars(figure.add_subplot(grid[1, 0]), "Images by format", list(formats), list(formats.values()))
    _over_time(figure.add_subplot(grid[1, 1]), found.months)
    _map(figure.add_subplot(grid[2, :]), found.embedding_map, found.duplicates is not None)
    # Without a date in it, the same index gives the same file.
    metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
    figure.savefig(path, dpi=120, metadata=metadata)


def _bars(axes: Axes, title: str, names: Sequence[str], counts: Sequence[int]) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    bars = axes.bar(range(len(counts)), counts, color=_STAYS)
    axes.bar_label(bars, [f"{count:,}" if count else "" for count in counts], fontsize=8)
    axes.set_xticks(range(len(names)), names, fontsize=8)
    _plain(axes)


def _over_time(axes: Axes, months: Sequence[Month]) -> None:
    shown = months[-_MOST_MONTHS:]
    older = " (the last five years)" if len(months) > len(shown) else ""
    axes.set_title(f"Files by month last modified{older}", loc="left", fontsize=11)
    gone = [month.duplicates or 0 for month in shown]
    stays = [month.files - lost for month, lost in zip(shown, gone, strict=True)]
    places = range(len(shown))
    has_lists = any(month.duplicates is not None for month in shown)
    axes.bar(places, stays, color=_STAYS, label="stay" if has_lists else "files")
    if has_lists:
        axes.bar(places, gone, bottom=stays, color=_GOES, hatch="///", label="duplicates")
        _legend(axes)
    step = max(1, len(shown) // 8)
    axes.set_xticks(list(places)[::step], [month.month for month in shown][::step], fontsize=8)
    _plain(axes)


def _map(axes: Axes, found: EmbeddingMap | None, has_lists: bool) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_color("#cccccc")
    if found is None:
        axes.set_title("No map: there are too few images", loc="left", fontsize=11)
        return
    axes.set_title(
        f"Map of {plural(len(found.points), 'image')} by {found.model}: what is near looks alike "
        f"(two principal components, {found.explained:.0%} of the variance)",
        loc="left",
        fontsize=11,
    )
    stays = found.points[~found.is_copy]
    goes = found.points[found.is_copy]
    axes.scatter(stays[:, 0], stays[:, 1], s=14, c=_STAYS, alpha=0.6, linewidths=0, label="stay")
    if has_lists and len(goes):
        axes.scatter(
            goes[:, 0], goes[:, 1], s=26, c=_GOES, marker="x", linewidths=1, label="duplicates"
        )
        _legend(axes)


def _legend(axes: Axes) -> None:
    """Above the plot, where nothing is drawn."""
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0))


def _plain(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.tick_params(length=0, labelcolor=_QUIET, labelsize=8)
    axes.margins(y=0.15)
    # A single bar is no wall.
    left, right = axes.get_xlim()
    axes.set_xlim(left, max(right, left + _LEAST_BARS))
