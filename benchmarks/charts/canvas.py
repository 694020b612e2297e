"""What the pictures have in common: size, colours, letters, and how they become files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

WIDTH = 800  # pixels: what a README shows without shrinking
MARGIN = 20
LINE = 16  # of the foot
INK, MUTED, RULE, PAPER = "#1b1f24", "#57606a", "#d8dde3", "#ffffff"
_PIXELS_PER_INCH = 96  # of SVG
_POINT = 72 / _PIXELS_PER_INCH  # matplotlib's sizes of letters and lines are points

# The letters of the picture are the viewer's: laid out for a wide face, so that any other has room.
_STYLE: dict[Any, Any] = {  # Any: matplotlib types its keys as literals
    "svg.hashsalt": "benchmark",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 11 * _POINT,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 1 * _POINT,
    "axes.axisbelow": True,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "grid.color": RULE,
    "grid.linewidth": 0.8 * _POINT,
    "xtick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.color": RULE,
    "ytick.labelcolor": MUTED,
}


def points(pixels: float) -> float:
    """Pixels in matplotlib's unit."""
    return pixels * _POINT


class Canvas:
    """A figure whose places are pixels from its top left corner, on paper of its own in light and dark mode."""

    def __init__(self, height: float) -> None:
        self.figure = Figure(figsize=(WIDTH / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH))
        self.height = height

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes in a rectangle, which are nothing but the rectangle at first."""
        box = (left / WIDTH, 1 - (top + height) / self.height, width / WIDTH, height / self.height)
        axes = self.figure.add_axes(box)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=points(11))
        return axes

    def fill(self, left: float, top: float, width: float, height: float, colour: str) -> None:
        """A rectangle without a border."""
        corner = (left / WIDTH, 1 - (top + height) / self.height)
        patch = Rectangle(corner, width / WIDTH, height / self.height, facecolor=colour, linewidth=0)
        patch.set_transform(self.figure.transFigure)
        self.figure.add_artist(patch)

    def write(self, left: float, baseline: float, text: str, *, size: float = 11, **style: Any) -> None:
        """Text that begins at a place, or with `ha` ends there."""
        self.figure.text(left / WIDTH, 1 - baseline / self.height, text, size=points(size), va="baseline", **style)

    def write_title(self, title: str, said: str) -> None:
        """What it is about."""
        self.write(MARGIN, 34, title, size=17, weight="bold")
        self.write(MARGIN, 56, said, size=12, color=MUTED)

    def write_lines(self, top: float, lines: Sequence[str]) -> None:
        """Small print."""
        for number, line in enumerate(lines):
            self.write(MARGIN, top + (number + 1) * LINE, line, size=10, color=MUTED)

    def save(self, path: Path, title: str) -> None:
        """As SVG or PNG, by the path's suffix; without the time, so that equal figures give equal files."""
        if path.suffix == ".svg":
            self.figure.savefig(path, metadata={"Title": title, "Date": None, "Creator": None})
        else:
            self.figure.savefig(path, dpi=2 * _PIXELS_PER_INCH)


@contextmanager
def drawing_style() -> Iterator[None]:
    """What a person's matplotlibrc says decides nothing within."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def figures(value: float) -> str:
    """Two figures that count, or all before the point."""
    if abs(value) < 0.001:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 9.95 else f"{value:#.2g}"
