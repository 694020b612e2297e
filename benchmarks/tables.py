"""Results as tables for the console."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from benchmarks.comparison import Cell, Comparison, Texts
from benchmarks.growth import Cause, Growth, Series
from benchmarks.results import Result, Status
from benchmarks.scaling import Scaling
from benchmarks.text import MEGABYTE

_NOTES = """
CPU seconds: user and system time of the whole process. Fixed: what the same command takes for next to no text
(imports, vocabulary, engine, report). Growing: the rest, which is what counts for a large corpus, and mostly noise
where it is smaller than the fixed part. MB: millions of bytes of raw text. x ours: times ours on the same text; of
growing cost, times ours on the largest text. All but ours start from sentences that this project cleaned and split
beforehand, which is not in their time; ours starts from raw text. google-research/bert makes more records of a text,
since it uses parts of it twice. Our own stages: the rooms in one process, without Beam; what else ours takes is fixed,
Beam, or beside the shards.
"""
_GROWTH_NOTES = "CPU seconds along the straight line nearest to what was measured.\n"


def print_cell(console: Console, cell: Cell, texts: Texts) -> None:
    """Prints who took what, where our own time goes, and what more processes give."""
    console.print(_contenders(cell, texts))
    if cell.scaling:
        _print_scaling(console, cell.scaling)
    console.print(_stages(cell))


def print_ratios(console: Console, comparison: Comparison) -> None:
    """Prints how many times ours everybody took, of all cells, and what the figures of all tables mean."""
    own, other = (_size(text.megabytes) for text in (comparison.texts.ours, comparison.texts.baselines))
    title = f"CPU time, times ours: whole, both for {other}; growing, ours from {own}"
    table = Table(title=title, title_justify="left")
    for name in ("dupe_factor", "max_seq_length", ""):
        table.add_column(name, justify="right")
    first, *_ = comparison.cells
    for result in first.baselines:
        table.add_column(result.name.replace(" ", "\n", 1), justify="right", no_wrap=True)
    for cell in comparison.cells:
        whole = [_number(cell.whole_ratio(one), ".2f") if one.best else _status(one) for one in cell.baselines]
        growing = [_number(cell.growing_ratio(one), ".2f") if one.best else "" for one in cell.baselines]
        table.add_row(str(cell.settings.dupe_factor), str(cell.settings.max_seq_length), "whole", *whole)
        table.add_row("", "", "growing", *growing, end_section=True)
    console.print(table)
    for result in (first.ours, *first.baselines):
        console.print(f"{result.name}: {result.reason or result.does}", soft_wrap=True)
    console.print(_NOTES, soft_wrap=True)


def print_growth(console: Console, growth: Growth) -> None:
    """Prints every point and every line."""
    table = Table(title=f"growth, max_seq_length {growth.settings.max_seq_length}", title_justify="left")
    table.add_column("contender", no_wrap=True)
    for name in ("MB", "dupe_factor", "CPU s", "wall s", "peak MB"):
        table.add_column(name, justify="right")
    for series in growth.series:
        for point in series.points:
            usage = point.usage
            figures = (f"{usage.cpu_seconds:.2f}", f"{usage.wall_seconds:.2f}", f"{usage.peak_bytes / MEGABYTE:,.0f}")
            table.add_row(series.name, f"{point.megabytes:.2f}", str(point.dupe_factor), *figures)
        table.add_section()
    console.print(table)
    for series in growth.series:
        console.print(f"{series.name}: {_line(series)}", soft_wrap=True)
    console.print(_GROWTH_NOTES, soft_wrap=True)


def _contenders(cell: Cell, texts: Texts) -> Table:
    text = texts.ours
    title = f"{_size(text.megabytes)}, {text.documents:,} documents, {text.sentences:,} sentences; {cell.title}"
    if text.copies > 1:
        title += f"; the same text up to {text.copies} times"
    table = Table(title=title, title_justify="left")
    table.add_column("contender", no_wrap=True)
    for name in ("MB", "CPU s", "s/MB", "x ours", "fixed s", "growing s/MB", "x ours", "peak MB", "records"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in cell.results:
        table.add_row(result.name, f"{result.megabytes:.1f}", *_figures(cell, result))
    return table


def _figures(cell: Cell, result: Result) -> list[str]:
    best = result.best
    if best is None:
        return [_status(result), *[""] * 7]
    return [
        f"{best.cpu_seconds:.2f}",
        _number(result.cpu_seconds_per_mb, ".3f"),
        _number(cell.whole_ratio(result), ".2f"),
        _number(result.fixed_cpu_seconds, ".2f"),
        _number(result.growing_cpu_seconds_per_mb, ".3f"),
        _number(cell.growing_ratio(result), ".2f"),
        f"{best.peak_bytes / MEGABYTE:,.0f}",
        f"{best.records:,}" if best.records else "none",
    ]


def _print_scaling(console: Console, scaling: Scaling) -> None:
    table = Table(title=f"ours with more processes, {_size(scaling.results[1].megabytes)}", title_justify="left")
    for name in ("processes", "wall s", "times sooner", "CPU s", "peak MB of a process"):
        table.add_column(name, justify="right")
    for number, result in scaling.results.items():
        soonest = scaling.soonest(number)
        if soonest is None:
            table.add_row(str(number), _status(result))
            continue
        figures = (f"{soonest.cpu_seconds:.2f}", f"{soonest.peak_bytes / MEGABYTE:,.0f}")
        table.add_row(str(number), f"{soonest.wall_seconds:.2f}", _number(scaling.speedup(number), ".2f"), *figures)
    console.print(table)
    console.print(
        f"{scaling.most} independent one-process runs at a time take {_number(scaling.slowdown, '.2f')} times as long "
        f"as one alone: this machine gives at most {_number(scaling.limit, '.2f')} times the work of one.\n",
        soft_wrap=True,
    )


def _stages(cell: Cell) -> Table:
    table = Table(title="our own stages", title_justify="left")
    table.add_column("stage")
    for name in ("CPU s", "CPU s/MB", "share"):
        table.add_column(name, justify="right")
    total = sum(cell.stages.values())
    for name, seconds in [*cell.stages.items(), ("all", total)]:
        per_mb = seconds / cell.ours.megabytes
        table.add_row(name, f"{seconds:.3f}", f"{per_mb:.4f}", f"{seconds / total:.0%}", end_section=name == "write")
    return table


def _line(series: Series) -> str:
    said = series.line.formula("MB" if series.cause is Cause.MEGABYTES else "pass") if series.line else "no line"
    return f"{said}; {series.status}, {series.reason}" if series.reason else said


def _size(megabytes: float) -> str:
    return f"{megabytes:.1f} MB"


def _status(result: Result) -> str:
    style = "red" if result.status is Status.FAILED else "yellow"
    return f"[{style}]{result.status}[/]"


def _number(value: float | None, form: str) -> str:
    return "unknown" if value is None else f"{value:{form}}"
