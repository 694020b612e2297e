"""`python -m benchmarks.input_throughput`: how fast shards are read and models trained on them, side by side."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mlm_data.config import SettingsError
from mlm_data.config.training import DynamicMaskingSettings, TrainingSettings
from mlm_data.shards import TRAIN
from mlm_data.storage import LocalStorage
from mlm_data.training.dataset import PretrainingData
from mlm_data.training.quiet_import import quiet_import
from mlm_data.training.workers import WHOLE

with quiet_import():
    import tensorflow as tf

    from mlm_data.training.input import Reader
    from mlm_data.training.model import MODEL_SIZES, build_model
    from mlm_data.training.model_choice import choose_model
    from mlm_data.training.optimization import make_optimizer
    from mlm_data.training.progress import Progress
    from mlm_data.training.steps import make_run_steps

_READ_AT_ONCE = 256  # batch size of readers, whatever that of the models
_STEPS = 24  # of training on several lengths, among which all come
_SEED = 1


@dataclass(frozen=True)
class Speed:
    """Instances a second of wall time, and of processor time of this process."""

    wall: float
    cpu: float

    @classmethod
    def measure(cls, work: Callable[[], int], seconds: float) -> Speed:
        """Does some work again and again for about so long; it says how many instances it was, and is warm."""
        begun, cpu_begun, instances = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - begun < seconds:
            instances += work()
        return cls(instances / (time.perf_counter() - begun), instances / (time.process_time() - cpu_begun))


def make_parser() -> argparse.ArgumentParser:
    """All flags."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.input_throughput", description=__doc__)
    parser.add_argument(
        "--data_dir",
        nargs="+",
        required=True,
        metavar="DIR",
        help="datasets of make-pretraining-data, for example one padded to one length and one with --sequence_buckets",
    )
    parser.add_argument("--model_sizes", nargs="+", default=["tiny", "base"], choices=MODEL_SIZES, metavar="SIZE")
    parser.add_argument("--batch_size", type=int, default=16, help="instances of a training step")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each is measured, at least once")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Measures and prints; gives the exit status."""
    flags = make_parser().parse_args(arguments)
    try:
        datasets = [PretrainingData.load(LocalStorage(), directory) for directory in flags.data_dir]
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for data in datasets:
        readers = {name: read_speed(some, draws, flags.seconds) for name, (some, draws) in ways_to_mask(data).items()}
        some = next(iter(ways_to_mask(data).values()))
        models = {size: training_speed(*some, size, flags) for size in flags.model_sizes}
        print_speeds(Console(highlight=False), data.directory, readers, models)
    return 0


def ways_to_mask(data: PretrainingData) -> dict[str, tuple[PretrainingData, bool]]:
    """The data with its own masks, if it has any, and with some drawn anew; and whether they are."""
    static = {"masks of the shards": (data, False)} if data.has_masks else {}
    drawn = {}
    for strategy in ("token", "whole_word", "span"):
        some = data.with_masks("dynamic", DynamicMaskingSettings(dynamic_masking=strategy))
        drawn[f"{strategy} masks drawn"] = (some, True)
    return static | drawn


def read_speed(data: PretrainingData, draws_masks: bool, seconds: float) -> Speed:
    """Of the input alone, shuffled and parsed as for training."""
    reader = Reader(data, _READ_AT_ONCE, draws_masks=draws_masks)
    batches = iter(reader.training_batches(TRAIN, seed=_SEED, shuffle_buffer=TrainingSettings().shuffle_buffer))

    def read() -> int:
        next(batches)
        return _READ_AT_ONCE

    for _ in range(10):  # which fill the buffers
        read()
    return Speed.measure(read, seconds)


def training_speed(data: PretrainingData, draws_masks: bool, size: str, flags: argparse.Namespace) -> Speed:
    """Of training alone, on one batch again and again, or on several where they have several lengths."""
    settings = TrainingSettings(model_size=size, batch_size=flags.batch_size)
    reader = Reader(data, flags.batch_size, draws_masks=draws_masks)
    steps = _STEPS if len(data.by_length(TRAIN)) > 1 else 1
    batches = iter(reader.training_batches(TRAIN, seed=_SEED, shuffle_buffer=1).take(steps).cache().repeat())
    with tempfile.TemporaryDirectory() as directory:
        model = build_model(choose_model(settings, data))
        progress = Progress(model, make_optimizer(settings, model.trainable_variables), Path(directory), keep=1)
        run_steps = make_run_steps(progress, settings, WHOLE)

    def train() -> int:
        run_steps(batches, tf.constant(steps, tf.int64)).numpy()  # waits
        return steps * settings.batch_size

    train()  # which makes the graph
    return Speed.measure(train, flags.seconds)


def print_speeds(console: Console, title: str, readers: dict[str, Speed], models: dict[str, Speed]) -> None:
    """Prints a table of all, and how many times as fast as a model the input is."""
    table = Table(title=f"{title}: instances a second, all processors")
    for name in ("", "wall time", "CPU time", *(f"x {size}" for size in models)):
        table.add_column(name, justify="right" if name else "left")
    for name, speed in readers.items():
        ratios = (f"{speed.wall / model.wall:,.0f}" for model in models.values())
        table.add_row(f"input, {name}", f"{speed.wall:,.0f}", f"{speed.cpu:,.0f}", *ratios)
    for size, speed in models.items():
        table.add_row(f"training, {size}", f"{speed.wall:,.1f}", f"{speed.cpu:,.1f}", *[""] * len(models))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
