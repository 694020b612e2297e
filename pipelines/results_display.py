"""What `make-pretraining-data` prints: the plan before, the results after."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from mlm_data.config import Settings
from mlm_data.corpora import InputFile
from mlm_data.inspection import find_shards, print_legend, print_record, read_first
from mlm_data.manifest import MANIFEST, Manifest
from mlm_data.statistics import STATISTICS, DocumentStatistics, InstanceStatistics
from mlm_data.summary import Row, document_rows, instance_rows, splits_of
from mlm_data.transforms.estimate import Estimate
from mlm_data.transforms.storage import BeamStorage

_FILES_SHOWN = 500


def print_plan(console: Console, files: Sequence[InputFile], settings: Settings, expected: Estimate) -> None:
    """Prints inputs, settings and what to expect."""
    console.print(_files_table(files))
    console.print(
        _two_columns("Settings", ((f"--{name}", _shown(value)) for name, value in settings.to_flags().items()))
    )
    passes = settings.shards.dupe_factor
    rows = (
        ("input", f"{len(files):,} files, {decimal(sum(file.size for file in files))}"),
        ("text", f"about {decimal(expected.text_bytes)}, {expected.tokens:,} tokens"),
        ("records", f"about {expected.records:,} in {passes} {'pass' if passes == 1 else 'passes'}"),
        ("bytes", f"about {decimal(expected.record_bytes)} before compression"),
    )
    console.print(_two_columns("Expected, judged by a sample", rows))
    console.print("Nothing was written (--plan).")


def print_results(console: Console, settings: Settings, input_bytes: int, seconds: float, peak_memory: int) -> None:
    """Prints what the finished dataset holds, read back from its files, and one decoded record."""
    directory, storage = settings.shards.output_dir, BeamStorage()
    with storage.open_for_reading(f"{directory}/{MANIFEST}") as file:
        manifest = Manifest.from_json(file.read())
    with storage.open_for_reading(f"{directory}/{STATISTICS}") as file:
        statistics = json.load(file)
    documents = DocumentStatistics.from_json(statistics["documents"])
    instances = {split: InstanceStatistics.from_json(part) for split, part in statistics["instances"].items()}
    console.print(_summary_table(f"Documents in {decimal(input_bytes)} of input", ("", ""), document_rows(documents)))
    splits = splits_of(manifest, instances)
    console.print(
        _summary_table(f"Dataset in {directory}", (*splits, "asked for"), instance_rows(manifest, settings, instances))
    )
    if documents.rejections:
        console.print(f"What was rejected, and why: {directory}/rejects/")
    speed = decimal(int(input_bytes / seconds))
    console.print(
        f"Done in {seconds:.1f} s, {speed} of input a second; peak memory {decimal(peak_memory)} a process.\n"
    )
    shards = find_shards(storage, [directory])
    print_legend(console, shards)
    for record in read_first(storage, shards, limit=1):
        print_record(console, record, record.describe())
    console.print(f"More: inspect-shards {directory}; pictures: {directory}/report.html")


def _summary_table(title: str, columns: Sequence[str], rows: Iterable[Row]) -> Table:
    table = Table(title=title, title_justify="left", show_header=any(columns))
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(f"[dim]  {row.label}[/]" if row.is_part else row.label, *row.values)
    return table


def _files_table(files: Sequence[InputFile]) -> Table:
    table = Table(title=f"Input: {len(files):,} files", title_justify="left")
    table.add_column("file", overflow="fold")
    table.add_column("format")
    table.add_column("size", justify="right")
    for file in files[:_FILES_SHOWN]:
        table.add_row(file.path, file.input_format + (" (auto)" if file.detected else ""), decimal(file.size))
    if len(files) > _FILES_SHOWN:
        rest = files[_FILES_SHOWN:]
        table.add_row(f"... and {len(rest):,} more", "", decimal(sum(file.size for file in rest)))
    return table


def _two_columns(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
