"""What `train-bert` and `evaluate` print of scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from mlm_data.summary import NONE
from mlm_data.training.results import Results
from mlm_data.training.scores import Scores, perplexity_of

if TYPE_CHECKING:
    from mlm_data.training.training_log import Entry


def note_of(entry: Entry) -> str:
    """An entry of the log in a few words."""
    note = f"loss {entry.scores.mlm_loss:.3f}"
    if entry.scores.next_sentence_accuracy is not None:
        note += f", next sentence {entry.scores.next_sentence_accuracy:.1%}"
    return note + (f", {entry.examples_per_second:,.0f} examples/s" if entry.examples_per_second else "")


def print_results(console: Console, results: Results) -> None:
    """Prints what came of a training run."""
    splits = {"train": results.train} | ({"validation": results.validation} if results.validation else {})
    print_scores(console, f"After {results.steps:,} steps", splits)
    print_unigram_entropy(console, results.unigram_entropy)


def print_unigram_entropy(console: Console, entropy: float) -> None:
    """Prints what a model has to be better than."""
    console.print(
        f"Guessing by the frequencies of tokens alone has a masked-LM loss of {entropy:.3f}, perplexity "
        f"{perplexity_of(entropy):,.1f}.",
        soft_wrap=True,
    )


def print_scores(console: Console, title: str, scores: Mapping[str, Scores]) -> None:
    """Prints a table of scores, one column a split."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for split in scores:
        table.add_column(split, justify="right")
    columns = scores.values()
    table.add_row("instances", *(f"{one.instances:,}" for one in columns))
    table.add_row("tokens to predict", *(f"{one.predictions:,}" for one in columns))
    table.add_row("masked-LM loss (nats)", *(f"{one.mlm_loss:.3f}" for one in columns))
    table.add_row("perplexity", *(f"{one.perplexity:,.1f}" for one in columns))
    table.add_row("masked-LM accuracy", *(f"{one.mlm_accuracy:.1%}" for one in columns))
    table.add_row("next sentence accuracy", *(_share(one.next_sentence_accuracy) for one in columns))
    console.print(table)


def _share(value: float | None) -> str:
    return NONE if value is None else f"{value:.1%}"
