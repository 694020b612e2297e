"""A run as a picture: losses and accuracies by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mlm_data.shards import TRAIN, VALIDATION
from mlm_data.training.training_log import Entry

# Blue and orange of Okabe and Ito's palette, apart for every kind of colour vision.
_LOOKS: dict[str, dict[str, Any]] = {
    TRAIN: {"color": "#0072b2", "linewidth": 1.2},
    VALIDATION: {"color": "#d55e00", "marker": "o", "markersize": 3},
}
_QUIET = "#57606a"


def draw_curves(entries: Sequence[Entry], entropy: float, path: Path) -> None:
    """Writes the picture of a log, as SVG or PNG by the path's suffix.

    Args:
        entries: of all splits.
        entropy: see `unigram_entropy`.
        path: the file.
    """
    has_labels = any(entry.scores.next_sentence_accuracy is not None for entry in entries)
    # Neither the time nor random identifiers in the file.
    with mpl.rc_context({"svg.hashsalt": "curves", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(9.6 if has_labels else 5.2, 3.6), layout="constrained")
        axes = figure.subplots(1, 2 if has_labels else 1, squeeze=False)[0]
        _draw(axes[0], entries, lambda entry: entry.scores.mlm_loss)
        _draw_level(axes[0], entropy, f"token frequencies alone, {entropy:.2f}")
        axes[0].set_title("masked-LM loss, nats per token", loc="left", fontsize=9)
        if has_labels:
            _draw(axes[1], entries, lambda entry: entry.scores.next_sentence_accuracy)
            _draw_level(axes[1], 0.5, "chance")
            axes[1].set_title("next sentence accuracy", loc="left", fontsize=9)
        for one in axes:
            one.legend(frameon=False)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=130)


def _draw(axes: Axes, entries: Sequence[Entry], value: Callable[[Entry], float | None]) -> None:
    for split, look in _LOOKS.items():
        points = [(entry.step, value(entry)) for entry in entries if entry.split == split]
        if points:
            axes.plot(*zip(*points, strict=True), label=split, **look)
    axes.set_xlabel("step")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#d8dde3", linewidth=0.6)


def _draw_level(axes: Axes, level: float, label: str) -> None:
    """Draws what there is to be better than."""
    axes.axhline(level, color=_QUIET, linewidth=0.9, linestyle=(0, (4, 3)), label=label)
