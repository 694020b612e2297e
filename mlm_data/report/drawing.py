"""Numbers to pictures: inline SVG whose colours are CSS variables of the page. The one place that loads matplotlib."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, PercentFormatter
from numpy.typing import NDArray

from mlm_data.report.bins import MOST_BINS, bin_edges, sum_by_bin
from mlm_data.report.expectation import SelectionRates

# Stand-ins that matplotlib can parse for the variables that light and dark mode set.
_TEXT, _GRID, _BAND, _FIRST, _SECOND = "#010203", "#010204", "#010205", "#010206", "#010207"
_VARIABLES = {_TEXT: "--muted", _GRID: "--rule", _BAND: "--band", _FIRST: "--first", _SECOND: "--second"}

_STYLE: dict[Any, Any] = {  # Any: matplotlib types its keys as literals
    "svg.hashsalt": "mlm-data",
    "svg.fonttype": "none",
    "font.size": 8,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _TEXT,
    "axes.linewidth": 0.8,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": _TEXT,
    "text.color": _TEXT,
    "xtick.color": _GRID,
    "xtick.labelcolor": _TEXT,
    "ytick.color": _TEXT,
    "ytick.left": False,
    "ytick.minor.left": False,
}
_WIDTH, _HEIGHT = 4.0, 2.3  # inches; small, so that text keeps its size on a narrow screen
_MARGINS = (0.135, 0.18, 0.855, 0.68)  # left, bottom, width, height of the axes


@dataclass(frozen=True, slots=True)
class Series:
    """A histogram to be laid over another: its name and counts by value, shape [values]."""

    name: str
    counts: NDArray[np.int64]


def draw_shares(name: str, series: Sequence[Series], x_label: str, *, is_log: bool = False) -> str:
    """Shares by value, the first series as an area, the second as a line over it.

    Args:
        name: makes the ids within the picture unique on the page.
        series: one or two, none empty, of one shape.
        x_label: what the values are.
        is_log: whether shares are shown on a logarithmic axis.
    """
    edges = bin_edges(len(series[0].counts), min(int(one.counts.sum()) for one in series))
    shares = [sum_by_bin(one.counts, edges) / one.counts.sum() for one in series]

    def paint(axes: Axes) -> None:
        if is_log:
            axes.set_yscale("log")
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.set_ylim(min(0.05, *(share[share > 0].min() / 2 for share in shares)), 1.6)
        axes.stairs(shares[0], edges - 0.5, fill=True, color=_FIRST, alpha=0.45, linewidth=0, label=series[0].name)
        for share, one in zip(shares[1:], series[1:], strict=True):
            axes.stairs(share, edges - 0.5, color=_SECOND, linewidth=1.1, label=one.name)
        axes.yaxis.set_major_formatter(FuncFormatter(_percent))
        _label(axes, x_label, f"instances, {_tokens(int(edges[1]))} a bar")

    return _to_svg(name, paint)


def draw_counts(name: str, counts: NDArray[np.int64], expected: NDArray[np.int64], x_label: str) -> str:
    """Shares by value as bars and those expected as dots, on a logarithmic axis; both int64 [values]."""
    values = np.arange(len(counts))
    shares, asked = counts / counts.sum(), expected / expected.sum()
    present = values[asked > 0]

    def paint(axes: Axes) -> None:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(min(0.05, shares[shares > 0].min() / 2, asked[present].min() / 2), 1.6)
        axes.set_xlim(-1, len(counts) - 0.4)
        axes.stairs(
            shares, np.arange(len(counts) + 1) - 0.5, fill=True, color=_FIRST, alpha=0.45, linewidth=0, label="observed"
        )
        axes.plot(present, asked[present], "o", color=_SECOND, markersize=3, markeredgewidth=0, label="expected")
        axes.yaxis.set_major_formatter(FuncFormatter(_percent))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _label(axes, x_label, "instances")

    return _to_svg(name, paint)


def draw_rates(name: str, rates: SelectionRates, x_label: str) -> str:
    """Observed rates as dots about the line expected, within their band."""

    def paint(axes: Axes) -> None:
        axes.fill_between(rates.positions, rates.low, rates.high, color=_BAND, linewidth=0, label="99.9% band")
        axes.plot(rates.positions, rates.expected, color=_FIRST, linewidth=1.2, label="expected")
        axes.plot(
            rates.positions, rates.observed, "o", color=_SECOND, markersize=2.2, markeredgewidth=0, label="observed"
        )
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        _label(axes, x_label, "predicted")

    return _to_svg(name, paint)


def draw_sizes(name: str, sizes: NDArray[np.int64], boundaries: Sequence[int], x_label: str) -> str:
    """Sizes in their order, as bars; of many, neighbours share a bar whose ends are the smallest and the largest.

    Args:
        name: as in `draw_shares`.
        sizes: int64 [things].
        boundaries: where to draw a line between things, counted from 0.
        x_label: what the things are.
    """
    groups = np.array_split(sizes, min(len(sizes), MOST_BINS))
    edges = np.cumsum([0, *map(len, groups)]) - 0.5
    low, high = (np.array([pick(group) for group in groups]) for pick in (np.min, np.max))

    def paint(axes: Axes) -> None:
        axes.stairs(high, edges, fill=True, color=_FIRST, alpha=0.45, linewidth=0, label="largest")
        if len(groups) < len(sizes):
            axes.stairs(low, edges, color=_SECOND, linewidth=1.1, label="smallest", baseline=None)
        for boundary in boundaries:
            axes.axvline(boundary - 0.5, color=_TEXT, linewidth=0.5, linestyle=(0, (2, 2)))
        axes.set_ylim(0, max(1, int(high.max())) * 1.08)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _label(axes, x_label, "records")

    return _to_svg(name, paint)


def _percent(share: float, _: int | None) -> str:
    return f"{100 * share:g}%"


def _tokens(number: int) -> str:
    return f"{number} tokens" if number > 1 else "1 token"


def _label(axes: Axes, x_label: str, y_label: str) -> None:
    """Says what the axes are, and what is what where there are several things."""
    axes.set_xlabel(x_label)
    # Above the axis and level, where there is room for words.
    axes.annotate(y_label, (-_MARGINS[0] / _MARGINS[2], 1.045), xycoords="axes fraction", va="baseline")
    if len(axes.get_legend_handles_labels()[0]) > 1:
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0, handlelength=1.2)


def _to_svg(name: str, paint: Callable[[Axes], None]) -> str:
    with mpl.rc_context():
        mpl.rcdefaults()  # a person's matplotlibrc decides nothing here
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=(_WIDTH, _HEIGHT))
        paint(figure.add_axes(_MARGINS))
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return _for_page(file.getvalue().decode(), name)


def _for_page(svg: str, name: str) -> str:
    """The <svg> element alone: ids made unique, colours and fonts left to the page, no fixed size."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"(?<=<svg)[^>]*(?= viewBox=)", lambda match: re.sub(r' (width|height)="[^"]*"', "", match[0]), svg)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)  # would hold for the whole page
    svg = re.sub(r"font(-family)?: [^;\"]*'[^;\"]*;? ?", "", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg
