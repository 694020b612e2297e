"""How cost grows, as one picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from benchmarks.charts.canvas import LINE, MARGIN, MUTED, WIDTH, Canvas, drawing_style, points
from benchmarks.contenders import OURS
from benchmarks.growth import Cause, Growth, Point, Series
from benchmarks.machine import machine_line
from benchmarks.text import MEGABYTE

# Of Okabe and Ito's palette, apart for every kind of colour vision; ours first.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#8f6fb5")
_MARKERS = "osD^"
_WALL_COLOUR = "#b9dcf0"  # of ours, a wide line under its CPU seconds
_TITLE = "How cost grows"
_NUMBERS, _GAP = 46, 36  # pixels: of a vertical axis, the space between columns
_PANEL = (WIDTH - 2 * MARGIN - _GAP) / 2 - _NUMBERS
_KEYS, _KEY, _ABOVE, _SECONDS, _MEMORY, _BELOW = 82, 18, 50, 210, 110, 54  # heights in pixels
_X_LABELS = {Cause.MEGABYTES: "MB of raw text", Cause.DUPE_FACTOR: "dupe_factor"}


@dataclass(frozen=True)
class _Quantity:
    """What is drawn upwards."""

    title: str
    of: Callable[[Point], float]


_CPU = _Quantity("CPU seconds", lambda point: point.usage.cpu_seconds)
_WALL = _Quantity("wall seconds", lambda point: point.usage.wall_seconds)
_PEAK = _Quantity("Peak memory of a process, MB", lambda point: point.usage.peak_bytes / MEGABYTE)


def draw_growth(growth: Growth, path: Path) -> None:
    """Draws time above and memory below, along the text at the left and along `dupe_factor` at the right.

    Args:
        growth: what was measured.
        path: where it is written, as SVG or PNG by the suffix.
    """
    foot = _foot(growth)
    keys = 1 + max(len(growth.along(cause)) for cause in Cause)
    seconds_top = _KEYS + keys * _KEY + _ABOVE
    memory_top = seconds_top + _SECONDS + 12 + _ABOVE
    foot_top = memory_top + _MEMORY + _BELOW
    length = growth.settings.max_seq_length
    with drawing_style():
        canvas = Canvas(foot_top + len(foot) * LINE + MARGIN)
        canvas.write_title(
            _TITLE, f"One process, max_seq_length {length}. Lines are the straight ones nearest to the dots."
        )
        for number, cause in enumerate(Cause):
            left = MARGIN + number * (_NUMBERS + _PANEL + _GAP)
            _draw_column(canvas, growth.along(cause), left, seconds_top, memory_top)
        canvas.write_lines(foot_top, foot)
        canvas.save(path, _TITLE)


def _draw_column(canvas: Canvas, series: Sequence[Series], left: float, seconds_top: float, memory_top: float) -> None:
    """All of one cause."""
    _write_keys(canvas, series, left)
    seconds = _panel(canvas, left, seconds_top, _SECONDS, _CPU)
    _draw_seconds(seconds, series)
    memory = _panel(canvas, left, memory_top, _MEMORY, _PEAK)
    _draw_points(memory, series, _PEAK, is_joined=True)
    memory.set_xlabel(_X_LABELS[series[0].cause])
    _finish((seconds, memory), series)


def _write_keys(canvas: Canvas, series: Sequence[Series], left: float) -> None:
    """Who is who, and the line of each."""
    canvas.write(left, _KEYS + 6, _heading(series), size=12, weight="bold")
    for number, one in enumerate(series):
        baseline = _KEYS + (number + 1) * _KEY + 10
        weight = "bold" if one.name == OURS else "normal"
        canvas.fill(left, baseline - 9, 11, 11, _COLOURS[number])
        canvas.write(left + 18, baseline, one.name, weight=weight)
        canvas.write(left + 194, baseline, _law(one), weight=weight)
    baseline = _KEYS + (len(series) + 1) * _KEY + 10
    canvas.fill(left, baseline - 6, 11, 6, _WALL_COLOUR)
    canvas.write(left + 18, baseline, f"{OURS}, {_WALL.title}")


def _heading(series: Sequence[Series]) -> str:
    ours = series[0]
    if ours.cause is Cause.MEGABYTES:
        return "Size of the text, dupe_factor 1"
    return f"dupe_factor, {ours.points[0].megabytes:.1f} MB of text" if ours.points else "dupe_factor"


def _law(series: Series) -> str:
    if series.line is None:
        return str(series.status)
    return series.line.formula("MB" if series.cause is Cause.MEGABYTES else "pass")


def _panel(canvas: Canvas, left: float, top: float, height: float, quantity: _Quantity) -> Axes:
    canvas.write(left, top - 14, quantity.title, color=MUTED)
    axes = canvas.axes(left + _NUMBERS, top, _PANEL, height)
    axes.grid(axis="y")
    axes.spines["bottom"].set_visible(True)
    axes.yaxis.set_major_formatter("{x:,g}")
    return axes


def _draw_seconds(axes: Axes, series: Sequence[Series]) -> None:
    ours = series[0]
    places = [point.at(ours.cause) for point in ours.points]
    axes.plot(places, [_WALL.of(point) for point in ours.points], color=_WALL_COLOUR, linewidth=points(6))
    for number, one in enumerate(series):
        if one.line:
            ends = (0.0, max(point.at(one.cause) for point in one.points))
            heights = [one.line.fixed + one.line.slope * end for end in ends]
            axes.plot(ends, heights, color=_COLOURS[number], linewidth=points(1.4))
    _draw_points(axes, series, _CPU, is_joined=False)


def _draw_points(axes: Axes, series: Sequence[Series], quantity: _Quantity, *, is_joined: bool) -> None:
    for number, one in reversed(list(enumerate(series))):  # ours above the others
        axes.plot(
            [point.at(one.cause) for point in one.points],
            [quantity.of(point) for point in one.points],
            color=_COLOURS[number],
            marker=_MARKERS[number],
            markersize=points(6),
            markeredgewidth=0,
            linestyle="-" if is_joined else "none",
            linewidth=points(1.4),
            clip_on=False,  # those at 0 are whole
        )


def _finish(panels: Sequence[Axes], series: Sequence[Series]) -> None:
    """Scales that begin at 0 and are the same along the text or `dupe_factor`."""
    most = max((point.at(one.cause) for one in series for point in one.points), default=1.0)
    is_whole = series[0].cause is Cause.DUPE_FACTOR
    for axes in panels:
        axes.set_xlim(0, 1.05 * most)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10], integer=is_whole))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))


def _foot(growth: Growth) -> list[str]:
    reasons = dict.fromkeys(f"{one.name}: {one.status}, {one.reason}" for one in growth.series if one.reason)
    most = f"Baselines were measured while MB of text times dupe_factor is at most {growth.most_baseline_work:g}"
    return [*reasons, f"{most}. {machine_line()}."]
