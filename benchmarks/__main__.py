"""`python -m benchmarks`: this project and public baselines, side by side on the same text."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.chart import draw_chart
from benchmarks.contenders import Contender, DatasetSettings, google_bert, nvidia_lddl, ours, tokenizers_alone
from benchmarks.results import Benchmark, Status, measure_contender
from benchmarks.stages import time_stages
from benchmarks.tables import print_benchmark
from benchmarks.text import startup_text, take_text

_WIDTH = 120  # columns the widest table needs


def make_parser() -> argparse.ArgumentParser:
    """All flags."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, allow_abbrev=False)
    text = parser.add_argument_group("text and dataset")
    text.add_argument("--input", action="append", required=True, metavar="[FORMAT:]GLOB", help="text, taken in turn")
    text.add_argument("--input_format", default="auto", help="of inputs that name none")
    text.add_argument("--megabytes", type=float, default=10.0, help="how much of it, in millions of bytes")
    text.add_argument("--vocab_file", required=True, metavar="FILE", help="an uncased WordPiece vocabulary")
    text.add_argument("--dupe_factor", type=int, default=10)
    text.add_argument("--max_seq_length", type=int, default=128)
    text.add_argument("--max_predictions_per_seq", type=int, default=20)
    baselines = parser.add_argument_group("baselines; those not given are reported as missing")
    baselines.add_argument("--bert", metavar="DIR", help="a checkout of google-research/bert")
    baselines.add_argument("--bert_python", metavar="FILE", default=sys.executable, help="a Python with TensorFlow 2")
    baselines.add_argument("--lddl", metavar="DIR", help="a checkout of NVIDIA/LDDL")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each contender; the least CPU time counts")
    parser.add_argument("--output", required=True, metavar="DIR", help="where benchmark.json and .svg are written")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Runs all contenders; 0 if ours was measured and no other failed, 1 if not, 2 if the command makes no sense."""
    parser = make_parser()
    flags = parser.parse_args(arguments)
    for name in ("megabytes", "dupe_factor", "repeats"):
        if getattr(flags, name) <= 0:
            parser.error(f"--{name} is {getattr(flags, name)}; expected more than 0")
    if not Path(flags.vocab_file).is_file():
        parser.error(f"--vocab_file {flags.vocab_file} is no file; expected a WordPiece vocabulary")
    output = Path(flags.output).absolute()
    output.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=output, prefix="unfinished-") as directory:
            benchmark = run(flags, Path(directory))
    except ValueError as error:
        parser.error(str(error))
    show(benchmark, output)
    return int(any(result.status is Status.FAILED for result in benchmark.results))


def run(flags: argparse.Namespace, directory: Path) -> Benchmark:
    """Measures everything.

    Args:
        flags: see `make_parser`.
        directory: for texts, datasets and logs; nothing in it is needed afterwards.
    """
    settings = DatasetSettings(
        vocab_file=str(Path(flags.vocab_file).absolute()),
        dupe_factor=flags.dupe_factor,
        max_seq_length=flags.max_seq_length,
        max_predictions_per_seq=flags.max_predictions_per_seq,
    )
    text = take_text(flags.input, flags.input_format, flags.megabytes, directory / "text")
    startup = startup_text(directory / "startup")
    contenders: list[Contender] = [
        ours(settings),
        google_bert(settings, flags.bert, flags.bert_python),
        nvidia_lddl(settings, flags.lddl),
        tokenizers_alone(settings, "encode_batch"),
        tokenizers_alone(settings, "encode_batch_fast"),
    ]
    results = []
    for number, contender in enumerate(contenders):
        if not contender.missing:
            print(f"measuring {contender.name} ...", file=sys.stderr)
        results.append(measure_contender(contender, text, startup, flags.repeats, directory / f"contender-{number}"))
    print("measuring our own stages ...", file=sys.stderr)
    stages = time_stages(text, settings, directory / "stages")
    return Benchmark(settings, text, tuple(results), stages)


def show(benchmark: Benchmark, output: Path) -> None:
    """Prints tables, and writes `benchmark.json` and `benchmark.svg`."""
    (output / "benchmark.json").write_text(json.dumps(benchmark.to_json(), indent=2) + "\n")
    draw_chart(benchmark, output / "benchmark.svg")
    console = Console(highlight=False)
    print_benchmark(Console(highlight=False, width=max(_WIDTH, console.width)), benchmark)
    print(f"Written: {output / 'benchmark.json'}, {output / 'benchmark.svg'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
