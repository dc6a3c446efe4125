"""The reliability plot: what share of verdicts with a score is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure


def plot_reliability(curves: Mapping[str, Sequence[tuple[float, float, int]]], path: Path) -> None:
    """Writes the curves, each a list of mean score, share that is right, and number of pairs."""
    # The same figures give the same file: a picture in a repository must not change by itself.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "calibration", "font.size": 10}):
        figure = Figure(figsize=(6.0, 5.0), layout="constrained")
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1, label="ideal")
        for name, points in curves.items():
            means, shares, counts = zip(*points, strict=True)
            axes.plot(means, shares, marker="o", label=f"{name} ({sum(counts):,} pairs)")
            for mean, share, count in points:
                axes.annotate(f"{count:,}", (mean, share), textcoords="offset points",
                              xytext=(4, -10), fontsize=7, color="0.35")  # fmt: skip
        axes.set(
            xlabel="Score of the verdict",
            ylabel="Share of those pairs that are copies",
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
        )
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
