"""All contenders and all cells as one picture."""

from __future__ import annotations

from pathlib import Path

from benchmarks.charts.canvas import INK, LINE, MARGIN, MUTED, RULE, WIDTH, Canvas, drawing_style, figures
from benchmarks.comparison import Cell, Comparison
from benchmarks.contenders import OURS
from benchmarks.machine import machine_line
from benchmarks.results import Result

# By whose and by part, growing and fixed: ours is blue, everybody else grey; fixed parts are pale.
_OURS, _OTHERS = ("#0072b2", "#9ccbe6"), ("#6e7781", "#ccd2d8")
_TITLE = "CPU seconds per MB of raw text"
_NAMES, _GAP = 186, 30  # pixels: the column of names, the space between panels
_TIMES, _UNKNOWN = "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"
# What is written beside bars, and pixels for it.
_COLUMNS = {"s/MB": 44, f"{_TIMES} ours": 48, "without\nstart-up": 58}
_HEAD, _PANEL_HEAD, _ROW, _PANEL_FOOT = 100, 56, 36, 24  # heights in pixels
_BAR = 18


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Draws a panel of bars for each cell, two abreast, and writes them as SVG or PNG by the path's suffix."""
    cells = comparison.cells
    foot = _foot(comparison)
    panel = _PANEL_HEAD + len(cells[0].results) * _ROW + _PANEL_FOOT
    foot_top = _HEAD + panel * -(-len(cells) // 2)
    across = min(2, len(cells))
    width = (WIDTH - 2 * MARGIN - _NAMES - (across - 1) * _GAP) / across
    with drawing_style():
        canvas = Canvas(foot_top + len(foot) * LINE + MARGIN)
        _write_head(canvas, comparison)
        for number, cell in enumerate(cells):
            row, column = divmod(number, 2)
            top = _HEAD + row * panel
            if column == 0:
                _write_names(canvas, cell, top + _PANEL_HEAD)
            _draw_cell(canvas, cell, MARGIN + _NAMES + column * (width + _GAP), top, width)
        canvas.write_lines(foot_top, foot)
        canvas.save(path, _TITLE)


def _write_head(canvas: Canvas, comparison: Comparison) -> None:
    texts = comparison.texts
    size = f"{texts.ours.megabytes:.1f} MB of text"
    if texts.baselines != texts.ours:
        size = f"{OURS} on {size} and, as others, on {texts.baselines.megabytes:.1f} MB"
    said = f"{size}, one process each. Shorter is better; each panel has its own scale."
    canvas.write_title(_TITLE, said)
    for left, part, label in ((MARGIN, 0, "grows with the text"), (MARGIN + 170, 1, "start-up: the same for any text")):
        canvas.fill(left, 70, 11, 11, _OURS[part])
        canvas.fill(left + 14, 70, 11, 11, _OTHERS[part])
        canvas.write(left + 32, 80, label, color=MUTED)


def _write_names(canvas: Canvas, cell: Cell, top: float) -> None:
    sizes = {result.megabytes for result in cell.results}
    for number, result in enumerate(cell.results):
        middle = top + (number + 0.5) * _ROW
        is_ours = result.name == OURS
        does = f"{result.does}, {figures(result.megabytes)} MB" if len(sizes) > 1 else result.does
        colour, weight = (_OURS[0], "bold") if is_ours else (INK, "normal")
        canvas.write(MARGIN, middle - 1, result.name, size=11.5, color=colour, weight=weight)
        canvas.write(MARGIN, middle + 12, does, size=9.5, color=MUTED)


def _draw_cell(canvas: Canvas, cell: Cell, left: float, top: float, width: float) -> None:
    canvas.write(left, top + 14, cell.title, size=12, weight="bold")
    ends, right = [], left + width - sum(_COLUMNS.values())
    for name, column in _COLUMNS.items():
        right += column
        ends.append(right)
        for line, words in enumerate(reversed(name.split("\n"))):
            canvas.write(right, top + 46 - 12 * line, words, size=9.5, color=MUTED, ha="right")
    bars, top = width - sum(_COLUMNS.values()) - 2, top + _PANEL_HEAD
    canvas.fill(left - 1, top, 1, len(cell.results) * _ROW, RULE)
    longest = max(result.cpu_seconds_per_mb or 0.0 for result in cell.results)
    for number, result in enumerate(cell.results):
        middle = top + (number + 0.5) * _ROW
        if result.cpu_seconds_per_mb is None:
            canvas.write(left + 6, middle + 4, result.status, color=MUTED, style="italic")
            continue
        _draw_bar(canvas, result, left, middle - _BAR / 2, bars / longest)
        _write_figures(canvas, cell, result, ends, middle + 4)


def _draw_bar(canvas: Canvas, result: Result, left: float, top: float, scale: float) -> None:
    colours = _OURS if result.name == OURS else _OTHERS
    whole = result.cpu_seconds_per_mb or 0.0
    growing = max(0.0, whole - (result.fixed_cpu_seconds or 0.0) / result.megabytes)
    canvas.fill(left, top, growing * scale, _BAR, colours[0])
    canvas.fill(left + growing * scale, top, (whole - growing) * scale, _BAR, colours[1])


def _write_figures(canvas: Canvas, cell: Cell, result: Result, ends: list[float], baseline: float) -> None:
    ratios = (cell.whole_ratio(result), cell.growing_ratio(result))
    texts = [figures(result.cpu_seconds_per_mb or 0.0), *map(_times, ratios)]
    is_ours = result.name == OURS
    for number, (end, text) in enumerate(zip(ends, texts, strict=True)):
        if is_ours and number:
            continue  # 1, by definition
        weight = "bold" if number == 1 or is_ours else "normal"
        canvas.write(end, baseline, text, color=_OURS[0] if is_ours else INK, weight=weight, ha="right")


def _times(value: float | None) -> str:
    if value is None:
        return _UNKNOWN
    return f"{value:.{0 if value >= 9.95 else 1 if value >= 0.995 else 2}f}{_TIMES}"


def _foot(comparison: Comparison) -> list[str]:
    first, *_ = comparison.cells
    missing = [f"{result.name}: {result.status}, {result.reason}" for result in first.baselines if result.reason]
    ratios = f"{_TIMES} ours: how many times {OURS} on the same text; without start-up: for one MB more"
    is_known = all(cell.ours.growing_cpu_seconds_per_mb for cell in comparison.cells)
    return [
        *missing,
        f"{ratios if is_known else f'{ratios} ({_UNKNOWN}: too little text to tell)'}.",
        f"{machine_line()}.",
    ]
