"""`python -m benchmarks.masking`: what the ways of masking cost, side by side on the same instances."""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.stages import Stopwatch, prepare
from mlm_data import chance
from mlm_data.config import MaskingSettings, PairingSettings, Settings
from mlm_data.instances import gather_instances
from mlm_data.masking import mask_tokens
from mlm_data.pairing import lay_end_to_end, make_segments
from mlm_data.records import InstanceBatch, TokenizedCorpus
from mlm_data.storage import LocalStorage
from mlm_data.vocabulary import Vocabulary

STRATEGIES = ("token", "whole_word", "ngram", "span")
_INSTANCES_PER_BATCH = 1024  # as in a run


def make_parser() -> argparse.ArgumentParser:
    """All flags."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.masking", description="What the ways of masking cost.", allow_abbrev=False
    )
    parser.add_argument("--input", action="append", required=True, metavar="[FORMAT:]GLOB", help="text")
    parser.add_argument("--vocab_file", required=True, metavar="FILE", help="a WordPiece vocabulary")
    parser.add_argument("--max_seq_length", type=int, nargs="+", default=[128, 512], metavar="N", help="128 512")
    parser.add_argument("--masked_lm_prob", type=float, default=0.15, metavar="P", help="0.15")
    parser.add_argument("--documents", type=int, default=1000, metavar="N", help="at most so many of the text: 1000")
    parser.add_argument("--batches", type=int, default=8, metavar="N", help="at most so many, of 1024 instances: 8")
    parser.add_argument("--repeats", type=int, default=20, metavar="N", help="the least time counts: 20")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Measures and prints; the exit status is 2 where there is no text."""
    flags = make_parser().parse_args(arguments)
    vocabulary = Vocabulary.load(flags.vocab_file, LocalStorage())
    settings = Settings.from_flags({"input": flags.input, "vocab_file": flags.vocab_file, "output_dir": "none"})
    documents = list(itertools.islice(prepare(settings, vocabulary, Stopwatch()), flags.documents))
    corpus = lay_end_to_end([document for document in documents if len(document.sentence_offsets) > 2])
    for length in flags.max_seq_length:
        batches = make_batches(corpus, vocabulary, length, flags.batches)
        if not batches:
            print(f"no pairs of {length} tokens in {', '.join(flags.input)}; expected more text", file=sys.stderr)
            return 2
        slots = max(1, round(flags.masked_lm_prob * length))
        masking = [
            MaskingSettings(masking=strategy, masked_lm_prob=flags.masked_lm_prob, max_predictions_per_seq=slots)
            for strategy in STRATEGIES
        ]
        Console(highlight=False).print(
            _table(length, sum(map(len, batches)), time_strategies(batches, masking, vocabulary, flags.repeats))
        )
    return 0


def make_batches(corpus: TokenizedCorpus, vocabulary: Vocabulary, length: int, limit: int) -> list[InstanceBatch]:
    """Pairs of the corpus for next sentence prediction, unmasked; so many batches at most."""
    pairs = make_segments(
        corpus, PairingSettings(max_seq_length=length), vocabulary.sep_id, chance.generator(1, "pair")
    )
    starts = range(0, len(pairs), _INSTANCES_PER_BATCH)[:limit]
    return [
        gather_instances(pairs.take(slice(start, start + _INSTANCES_PER_BATCH)), vocabulary, length) for start in starts
    ]


def time_strategies(
    batches: Sequence[InstanceBatch], masking: Sequence[MaskingSettings], vocabulary: Vocabulary, repeats: int
) -> list[float]:
    """CPU seconds for all batches, the least of so many runs; all take turns, so that a bad minute falls on all alike.

    Args:
        batches: unmasked.
        masking: whose times are returned, in this order.
        vocabulary: of the ids.
        repeats: runs of each.
    """
    seconds = [float("inf")] * len(masking)
    for repeat in range(repeats):
        for number, settings in enumerate(masking):
            rng = chance.generator(repeat, "mask")
            started = time.process_time()
            for batch in batches:
                mask_tokens(batch, settings, vocabulary, rng)
            seconds[number] = min(seconds[number], time.process_time() - started)
    return seconds


def _table(length: int, instances: int, seconds: Sequence[float]) -> Table:
    table = Table(title=f"masking, max_seq_length {length}, {instances:,} instances", title_justify="left")
    table.add_column("masking")
    for name in ("CPU µs an instance", "times token"):
        table.add_column(name, justify="right")
    for strategy, taken in zip(STRATEGIES, seconds, strict=True):
        table.add_row(strategy, f"{taken / instances * 1e6:.2f}", f"{taken / seconds[0]:.2f}")
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
