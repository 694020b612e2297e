"""What flags ask for, measured."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks.comparison import Cell, Texts, measure_side_by_side
from benchmarks.contenders import (
    Checkouts,
    Contender,
    DatasetSettings,
    baselines,
    google_bert,
    nvidia_lddl,
    ours,
    tokenizers_alone,
)
from benchmarks.growth import Cause, Growth, Series, Step, measure_series
from benchmarks.results import Status
from benchmarks.scaling import measure_scaling
from benchmarks.stages import time_stages
from benchmarks.text import startup_text, take_text


def take_texts(flags: argparse.Namespace, directory: Path) -> Texts:
    """Ours, and a smaller one for baselines where one is asked for; arguments as of `measure_cells`."""
    take = partial(take_text, flags.input, flags.input_format)
    own = take(flags.megabytes, directory / "text")
    is_same = flags.baseline_megabytes == flags.megabytes
    smaller = own if is_same else take(flags.baseline_megabytes, directory / "baseline-text")
    return Texts(own, smaller, startup_text(directory / "startup-text"))


def measure_cells(flags: argparse.Namespace, texts: Texts, directory: Path) -> Iterator[Cell]:
    """A cell for every length with every `dupe_factor`.

    Args:
        flags: as `parse_flags` gives them.
        texts: see `take_texts`.
        directory: for datasets and logs; nothing in it is needed afterwards.
    """
    for number, (length, passes) in enumerate(product(flags.max_seq_length, flags.dupe_factor)):
        settings, place = _settings(flags, passes, length), directory / f"cell-{number}"
        print(f"dupe_factor {passes}, max_seq_length {length}", file=sys.stderr)
        others = baselines(settings, _checkouts(flags))
        results = measure_side_by_side(ours(settings), others, texts, flags.repeats, place / "contenders")
        scaling = None
        if results[0].status is Status.MEASURED and max(flags.processes) > 1:
            program = partial(ours, settings)
            scaling = measure_scaling(program, texts.ours, flags.processes, flags.repeats, place / "scaling")
        print("  our own stages", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=place) as shards:
            stages = time_stages(texts.ours, settings, Path(shards))
        yield Cell(settings, results, stages, scaling)


def measure_growth(flags: argparse.Namespace, directory: Path) -> Growth:
    """Cost along the sizes of text, and along `dupe_factor`; arguments as of `measure_cells`."""
    length = flags.max_seq_length[0]

    def contenders(passes: int) -> list[Contender]:
        settings, checkouts = _settings(flags, passes, length), _checkouts(flags)
        others = google_bert(settings, checkouts), nvidia_lddl(settings, checkouts)
        return [ours(settings), *others, tokenizers_alone(settings, "encode_batch_fast")]

    series: list[Series] = []
    for cause, steps in _growth_steps(flags, directory).items():
        print(f"growth with {cause}", file=sys.stderr)
        series += measure_series(contenders, cause, steps, repeats=flags.repeats, directory=directory / cause)
    return Growth(_settings(flags, 1, length), flags.growth_baseline_megabytes, tuple(series))


def _growth_steps(flags: argparse.Namespace, directory: Path) -> dict[Cause, list[Step]]:
    sizes, fixed_size = sorted(flags.growth_megabytes), flags.growth_dupe_megabytes
    texts = {
        size: take_text(flags.input, flags.input_format, size, directory / f"text-{size:g}")
        for size in {*sizes, fixed_size}
    }

    def step(size: float, passes: int) -> Step:
        return Step(texts[size], passes, is_for_baselines=size * passes <= flags.growth_baseline_megabytes)

    start = Step(startup_text(directory / "startup-text"), 1)
    return {
        Cause.MEGABYTES: [start, *(step(size, 1) for size in sizes)],
        Cause.DUPE_FACTOR: [step(fixed_size, passes) for passes in sorted(flags.growth_dupe_factor)],
    }


def _settings(flags: argparse.Namespace, dupe_factor: int, max_seq_length: int) -> DatasetSettings:
    return DatasetSettings.of_length(str(Path(flags.vocab_file).absolute()), dupe_factor, max_seq_length)


def _checkouts(flags: argparse.Namespace) -> Checkouts:
    return Checkouts(flags.bert, flags.bert_python, flags.lddl)
