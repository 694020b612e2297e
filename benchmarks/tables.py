"""Results as tables for the console."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from benchmarks.results import Benchmark, Result, Status, ratio
from benchmarks.text import MEGABYTE

_NOTES = """
CPU seconds: user and system time of the whole process. Fixed: what the same command takes for next to no text
(imports, vocabulary, engine, report). Growing: the rest, which is what counts for a large corpus, and mostly noise
where it is smaller than the fixed part. MB: millions of bytes of raw text. All but ours start from sentences that this
project cleaned and split beforehand, which is not in their time; ours starts from raw text. google-research/bert makes
more records of a text, since it uses parts of it twice.
"""
_STAGE_NOTES = "The rooms in one process, without Beam. What else ours takes is fixed, Beam, or beside the shards.\n"


def print_benchmark(console: Console, benchmark: Benchmark) -> None:
    """Prints who took what, and where our own time goes."""
    console.print(_contenders(benchmark))
    for result in benchmark.results:
        console.print(f"{result.name}: {result.reason or result.does}", soft_wrap=True)
    console.print(_NOTES, soft_wrap=True)
    console.print(_stages(benchmark))
    console.print(_STAGE_NOTES, soft_wrap=True)


def _contenders(benchmark: Benchmark) -> Table:
    settings, text = benchmark.settings, benchmark.text
    title = (
        f"{text.megabytes:.1f} MB, {text.documents:,} documents, {text.sentences:,} sentences; "
        f"dupe_factor {settings.dupe_factor}, max_seq_length {settings.max_seq_length}"
    )
    if text.copies > 1:
        title += f"; the same text up to {text.copies} times"
    table = Table(title=title, title_justify="left")
    table.add_column("contender", no_wrap=True)
    for name in ("CPU s", "s/MB", "x ours", "fixed s", "growing s/MB", "x ours", "peak MB", "records"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in benchmark.results:
        table.add_row(result.name, *_figures(benchmark, result))
    return table


def _figures(benchmark: Benchmark, result: Result) -> list[str]:
    best, ours = result.best, benchmark.ours
    if best is None:
        style = "red" if result.status is Status.FAILED else "yellow"
        return [f"[{style}]{result.status}[/]", *[""] * 7]
    whole, growing = result.cpu_seconds_per_mb, result.growing_cpu_seconds_per_mb
    return [
        f"{best.cpu_seconds:.2f}",
        _number(whole, ".3f"),
        _number(ratio(whole, ours.cpu_seconds_per_mb), ".2f"),
        f"{result.fixed_cpu_seconds:.2f}",
        _number(growing, ".3f"),
        _number(ratio(growing, ours.growing_cpu_seconds_per_mb), ".2f"),
        f"{best.peak_bytes / MEGABYTE:,.0f}",
        f"{best.records:,}" if best.records else "none",
    ]


def _stages(benchmark: Benchmark) -> Table:
    table = Table(title="our own stages", title_justify="left")
    table.add_column("stage")
    for name in ("CPU s", "CPU s/MB", "share"):
        table.add_column(name, justify="right")
    total = sum(benchmark.stages.values())
    for name, seconds in [*benchmark.stages.items(), ("all", total)]:
        per_mb = seconds / benchmark.text.megabytes
        table.add_row(name, f"{seconds:.3f}", f"{per_mb:.4f}", f"{seconds / total:.0%}", end_section=name == "write")
    return table


def _number(value: float | None, form: str) -> str:
    return "unknown" if value is None else f"{value:{form}}"
