"""The flags of `python -m benchmarks`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_EXAMPLE = """examples:
  everything the README shows:
    python -m benchmarks --input 'books/*.txt' --vocab_file vocab/en-uncased-30k.txt --output out/bench \\
      --dupe_factor 1 10 --max_seq_length 128 512 --bert ../bert --lddl ../LDDL --repeats 2 --growth

exit status: 0 all that is there was measured, 1 something failed, 2 the command makes no sense
"""


def make_parser() -> argparse.ArgumentParser:
    """All flags."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="This project and public baselines, side by side on the same text.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    text = parser.add_argument_group("text and dataset; of lists, every combination is measured")
    text.add_argument("--input", action="append", required=True, metavar="[FORMAT:]GLOB", help="text, taken in turn")
    text.add_argument("--input_format", default="auto", help="of inputs that name none")
    text.add_argument("--megabytes", type=float, default=10.0, help="how much of it, in millions of bytes: 10")
    text.add_argument(
        "--baseline_megabytes", type=float, metavar="MEGABYTES", help="less for baselines; ours is measured on both"
    )
    text.add_argument("--vocab_file", required=True, metavar="FILE", help="an uncased WordPiece vocabulary")
    text.add_argument("--dupe_factor", type=int, nargs="+", default=[1, 10], metavar="N", help="1 10")
    text.add_argument(
        "--max_seq_length", type=int, nargs="+", default=[128], metavar="N", help="128; predictions are 15 %% of it"
    )
    baselines = parser.add_argument_group("baselines; those not given are reported as missing")
    baselines.add_argument("--bert", metavar="DIR", help="a checkout of google-research/bert")
    baselines.add_argument("--bert_python", metavar="FILE", default=sys.executable, help="a Python with TensorFlow 2")
    baselines.add_argument("--lddl", metavar="DIR", help="a checkout of NVIDIA/LDDL")
    growth = parser.add_argument_group("growth of cost, with the first of --max_seq_length")
    growth.add_argument("--growth", action="store_true", help="measure it too, and draw growth.svg")
    growth.add_argument(
        "--growth_megabytes",
        type=float,
        nargs="+",
        default=[1, 3, 10, 30, 100],
        metavar="MEGABYTES",
        help="texts, at dupe_factor 1: 1 3 10 30 100",
    )
    growth.add_argument(
        "--growth_dupe_factor", type=int, nargs="+", default=[1, 2, 5, 10, 20], metavar="N", help="1 2 5 10 20"
    )
    growth.add_argument(
        "--growth_dupe_megabytes", type=float, default=10.0, metavar="MEGABYTES", help="the text for them: 10"
    )
    growth.add_argument(
        "--growth_baseline_megabytes",
        type=float,
        default=30.0,
        metavar="MEGABYTES",
        help="baselines are measured while text times dupe_factor is not over this: 30",
    )
    parser.add_argument("--repeats", type=int, default=1, help="runs of each contender, the least CPU time counts: 1")
    parser.add_argument(
        "--processes",
        type=int,
        nargs="+",
        default=sorted({1, os.cpu_count() or 1}),
        metavar="N",
        help="ours with so many, against one and against independent runs: 1 and one per core",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="where .json and .svg files are written")
    return parser


def parse_flags(arguments: Sequence[str]) -> argparse.Namespace:
    """Flags that make sense; ends with status 2 where they do not."""
    parser = make_parser()
    flags = parser.parse_args(arguments)
    if flags.baseline_megabytes is None:
        flags.baseline_megabytes = flags.megabytes
    for name, value in vars(flags).items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, int | float) and not isinstance(one, bool) and one <= 0:
                parser.error(f"--{name} is {one}; expected more than 0")
    if flags.baseline_megabytes > flags.megabytes:
        parser.error(
            f"--baseline_megabytes {flags.baseline_megabytes} is more than --megabytes {flags.megabytes}; "
            "expected at most as much"
        )
    if not Path(flags.vocab_file).is_file():
        parser.error(f"--vocab_file {flags.vocab_file} is no file; expected a WordPiece vocabulary")
    return flags
