"""`python -m benchmarks`: this project and public baselines, side by side on the same text."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.charts import draw_comparison, draw_growth
from benchmarks.command_line import parse_flags
from benchmarks.comparison import Comparison
from benchmarks.from_flags import measure_cells, measure_growth, take_texts
from benchmarks.growth import Growth
from benchmarks.tables import print_cell, print_growth, print_ratios

_WIDTH = 120  # columns the widest table needs


def main(arguments: Sequence[str]) -> int:
    """Measures, prints and writes everything; the exit status is as `--help` says."""
    flags = parse_flags(arguments)
    console = Console(highlight=False, width=max(_WIDTH, Console().width))
    output = Path(flags.output).absolute()
    output.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=output, prefix="unfinished-") as directory:
            is_failed = compare(flags, Path(directory), console, output).failed
            if flags.growth:
                is_failed |= grow(flags, Path(directory), console, output).failed
    except ValueError as error:
        print(f"python -m benchmarks: error: {error}", file=sys.stderr)
        return 2
    return int(is_failed)


def compare(flags: argparse.Namespace, directory: Path, console: Console, output: Path) -> Comparison:
    """Measures all contenders with all settings.

    Args:
        flags: as `parse_flags` gives them.
        directory: for texts, datasets and logs; nothing in it is needed afterwards.
        console: where tables are printed, each when it is known.
        output: where `benchmark.json` and `benchmark.svg` are written.
    """
    texts = take_texts(flags, directory)
    cells = []
    for cell in measure_cells(flags, texts, directory):
        print_cell(console, cell, texts)
        cells.append(cell)
    comparison = Comparison(texts, tuple(cells))
    print_ratios(console, comparison)
    write(comparison.to_json(), output / "benchmark.json")
    draw_comparison(comparison, output / "benchmark.svg")
    return comparison


def grow(flags: argparse.Namespace, directory: Path, console: Console, output: Path) -> Growth:
    """Measures how cost grows, for `growth.json` and `growth.svg`; arguments as of `compare`."""
    growth = measure_growth(flags, directory / "growth")
    print_growth(console, growth)
    write(growth.to_json(), output / "growth.json")
    draw_growth(growth, output / "growth.svg")
    return growth


def write(values: dict[str, Any], path: Path) -> None:
    """As JSON; says where."""
    path.write_text(json.dumps(values, indent=2) + "\n")
    print(f"written: {path} and {path.with_suffix('.svg').name}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
