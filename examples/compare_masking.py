"""Compares ways of masking: the same text, model and steps, judged on the same masks of the same held-out documents.

Writes a table (results.md, results.csv) and a picture (results.svg). Flags that are none of this program's are
train-bert's. What is there already is not done again: stop it, and start it again with the same command.
"""

from __future__ import annotations

import argparse
import csv
import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from examples.running import ask, run
from mlm_data.training.results import Results
from pipelines.command_line import DONE, run_program

# Flags of make-pretraining-data; every text is masked ten times over where nothing else is said.
DATASETS = {
    "token-15": "--masking token",
    "token-30": "--masking token --masked_lm_prob 0.3",
    "token-40": "--masking token --masked_lm_prob 0.4",
    "whole-word-15": "--masking whole_word",
    "span-15": "--masking span",
    "token-15-once": "--masking token --dupe_factor 1",
}
# All models are judged on its held-out instances.
COMMON = "token-15"


@dataclass(frozen=True)
class Strategy:
    """A way of masking: its name in the table, what to train on, and flags of train-bert."""

    name: str
    dataset: str
    flags: str = ""


STRATEGIES = (
    Strategy("token 15 %", "token-15"),
    Strategy("token 15 %, another seed", "token-15", "--random_seed 1"),  # what chance does
    Strategy("whole word 15 %", "whole-word-15"),
    Strategy("span 15 %", "span-15"),
    Strategy("token 30 %", "token-30"),
    Strategy("token 40 %", "token-40"),
    Strategy("token 15 %, one set of masks", "token-15-once"),
    Strategy("token 15 %, dynamic", "token-15-once", "--masking dynamic"),
)


@dataclass(frozen=True)
class Row:
    """What came of a strategy; losses are in nats, on held-out documents.

    Attributes:
        loss: on the masks that are the same for all.
        perplexity: of this loss.
        accuracy: share of these masks filled.
        own_loss: on masks such as the model was trained on.
    """

    strategy: str
    loss: float
    perplexity: float
    accuracy: float
    own_loss: float

    def cells(self) -> tuple[str, ...]:
        """As text, for a table."""
        numbers = (f"{self.loss:.3f}", f"{self.perplexity:.1f}", f"{self.accuracy:.1%}", f"{self.own_loss:.3f}")
        return (self.strategy, *numbers)


HEADINGS = ("trained with", "loss", "perplexity", "accuracy", "loss on own masks")


def main(arguments: Sequence[str]) -> int:
    """Runs the program; gives its exit status."""
    flags, training_flags = parse(arguments)
    output: Path = flags.output_dir
    for name in DATASETS:
        make_dataset(name, flags)
    rows = [train(strategy, output, training_flags) for strategy in STRATEGIES]
    write_table(rows, output)
    draw(rows, output / "results.svg")
    print_table(rows, Console(highlight=False))
    return DONE


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The flags of this program, and all others."""
    parser = argparse.ArgumentParser(prog="compare_masking", description=__doc__, allow_abbrev=False)
    parser.add_argument("--input", action="append", required=True, metavar="[FORMAT:]GLOB", help="many documents")
    parser.add_argument("--vocab_file", required=True, metavar="FILE", help="train-vocab makes one")
    parser.add_argument(
        "--output_dir", required=True, type=Path, metavar="DIR", help="for datasets, models and results"
    )
    parser.add_argument("--max_seq_length", type=int, default=64, metavar="N", help="tokens of an instance: 64")
    parser.add_argument("--validation_fraction", type=float, default=0.1, metavar="P", help="held out: 0.1")
    return parser.parse_known_args(arguments)


def make_dataset(name: str, flags: argparse.Namespace) -> None:
    """Makes one of `DATASETS`; the first keeps its tokens, and the others take them from there.

    Which documents are held out follows from the seed and their text, so that it is the same ones every time.
    """
    inputs = [word for pattern in flags.input for word in ("--input", pattern)]
    run(
        "make-pretraining-data",
        *(*inputs, "--vocab_file", flags.vocab_file, "--output_dir", flags.output_dir / name),
        *("--tokens_dir", flags.output_dir / "tokens", "--validation_fraction", flags.validation_fraction),
        *("--objective", "mlm", "--max_seq_length", flags.max_seq_length, *shlex.split(DATASETS[name])),
    )


def train(strategy: Strategy, output: Path, training_flags: Sequence[str]) -> Row:
    """Trains a model and judges it."""
    model = output / "models" / re.sub(r"\W+", "-", strategy.name)
    run(
        "train-bert",
        *("--data_dir", output / strategy.dataset, "--model_dir", model),
        *(*training_flags, *shlex.split(strategy.flags)),
    )
    own = Results.read(model).validation
    assert own, "all datasets have a validation split"
    found = ask("evaluate", "--model", model, "--data_dir", output / COMMON)
    return Row(strategy.name, found["mlm_loss"], found["perplexity"], found["mlm_accuracy"], own.mlm_loss)


def write_table(rows: Sequence[Row], output: Path) -> None:
    """For programs and for people."""
    with (output / "results.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(map(asdict, rows))
    lines = [HEADINGS, ("---", *["---:"] * (len(HEADINGS) - 1)), *(row.cells() for row in rows)]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    (output / "results.md").write_text(text, encoding="utf-8")


def print_table(rows: Sequence[Row], console: Console) -> None:
    """For who waits for it."""
    table = Table(title="Masked-LM loss on held-out documents, in nats per token", title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == HEADINGS[0] else "right")
    for row in rows:
        table.add_row(*row.cells())
    console.print(table)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Both losses of each strategy, one line each."""
    with mpl.rc_context({"svg.hashsalt": "masking", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(7.2, 0.9 + 0.3 * len(rows)), layout="constrained")
        axes = figure.subplots()
        names = [row.strategy for row in rows]
        axes.plot([row.loss for row in rows], names, "o", color="#0072b2", label="the same masks for all")
        axes.plot([row.own_loss for row in rows], names, "o", color="#d55e00", mfc="none", label="masks as in training")
        axes.invert_yaxis()  # from top to bottom, as in the table
        axes.set_title("masked-LM loss on held-out documents, nats per token", loc="left", fontsize=9)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.grid(color="#d8dde3", linewidth=0.6)
        axes.set_axisbelow(True)
        figure.legend(loc="outside lower right", ncols=2, frameon=False)
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    run_program(main)
