"""Precision over recall, one curve a tool."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.accuracy.scoring import PairFigures, precision_recall
from benchmarks.accuracy.tools.base import missing


def plot_precision_recall(figures: Mapping[str, PairFigures], path: Path) -> None:
    """Writes the curves, with each tool's own threshold as a dot; the suffix is the format.

    Raises:
        ToolUnavailable: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise missing("matplotlib") from None
    # The same figures give the same file: a picture in a repository must not change by itself.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "accuracy", "font.size": 10}):
        figure = Figure(figsize=(7.2, 4.8), layout="constrained")
        axes = figure.add_subplot()
        for number, (name, one) in enumerate(figures.items()):
            recall, precision = precision_recall(one)
            colour = f"C{number}"
            width = 2.5 if number == 0 else 1.5
            axes.plot(recall, precision, color=colour, linewidth=width, label=name)
            matches = one.found.count + one.false_pairs
            if matches:
                at = (one.found.value, one.found.count / matches)
                axes.plot(*at, "o", color=colour, markersize=7)
        axes.set(
            xlabel="Recall: copies found, of all pairs of an original and its copy",
            ylabel="Precision: true pairs of those found",
            xlim=(0, 1.01),
            ylim=(0, 1.02),
        )
        axes.grid(alpha=0.3)
        axes.legend(loc="lower left", title="● at its default threshold")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
