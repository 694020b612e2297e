"""`fill-mask`: what a trained model puts in the place of each [MASK]."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlm_data.training.quiet_import import quiet_import
from mlm_data.training.tokenizer_files import read_vocabulary
from mlm_data.training.trained_models import find_trained_model, require_tensorflow
from mlm_data.vocabulary import MASK
from pipelines.command_line import DONE, FlagParser, nearest_flag, run_program

if TYPE_CHECKING:
    from mlm_data.training.filling import Guess

EPILOG = """
The model is a directory of train-bert, any one of its exports (Hugging Face's files, model.keras, a SavedModel that
takes text), or another BERT checkpoint in Hugging Face's layout with safetensors. All masks of a text are filled at
once, each without knowing what the others become.

examples:
  fill-mask --model out/model "Good morning [MASK], have a [MASK] day"
  fill-mask --model out/model/export/huggingface --top 10 "The [MASK] sat on the mat."
  fill-mask --model model.keras --json "It was a [MASK] and stormy night." | jq '.masks[0][0]'

exit status: 0 done, 1 the run failed, 2 the command cannot be meant
"""


def main(arguments: Sequence[str]) -> int:
    """Runs the program; gives its exit status."""
    flags = _parse(arguments)
    trained = find_trained_model(flags.model)
    if trained.tokenizer:
        read_vocabulary(trained.tokenizer)
    require_tensorflow()
    with quiet_import():  # only now, since it takes seconds
        from mlm_data.training.filling import load_filler  # noqa: PLC0415
    filler = load_filler(trained)
    console = Console(highlight=False)
    for text in flags.texts:
        masks = filler.fill(text, flags.top)
        if flags.json:
            _write_json(text, masks)
        else:
            _print(console, text, masks)
    return DONE


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = FlagParser(
        """Shows the words that a trained BERT finds most probable for each [MASK] of a text.""", EPILOG
    )
    parser.prog = "fill-mask"
    parser.add_argument("--model", type=Path, required=True, metavar="PATH", help="The model: a directory or a file.")
    parser.add_argument("texts", nargs="+", type=_text_with_masks, metavar="TEXT", help=f"Text with {MASK} in it.")
    parser.add_argument(
        "--top", type=_positive, default=5, metavar="N", help=f"Words to show for each {MASK} (default: 5)."
    )
    parser.add_switch("json", "Write one JSON object a line and text instead.")
    parser.set_defaults(json=False)
    flags, rest = parser.parse_flags(arguments)
    unknown = [argument for argument in rest if argument.startswith("-")]
    if unknown:
        parser.error(nearest_flag(unknown[0], parser.flag_names()))
    try:
        flags.texts += map(_text_with_masks, rest)  # those that stand behind a flag
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    return flags


def _positive(value: str) -> int:
    if not value.isdecimal() or not int(value):
        raise argparse.ArgumentTypeError(f"got {value!r}; expected a number of words, 1 or more")
    return int(value)


def _text_with_masks(value: str) -> str:
    if MASK not in value:
        raise argparse.ArgumentTypeError(f"got {value!r}; expected a text with {MASK} in it")
    return value.encode("utf-8", "replace").decode()  # a shell may hand over what is no text


def _print(console: Console, text: str, masks: Sequence[Sequence[Guess]]) -> None:
    console.print(Text(text, "bold"))
    console.print(Columns([_table(number, guesses) for number, guesses in enumerate(masks, 1)], padding=(0, 3)))
    console.print()


def _table(number: int, guesses: Sequence[Guess]) -> Table:
    table = Table(
        title=Text(f"{MASK} {number}"), title_justify="left", box=None, padding=(0, 2, 0, 0), show_header=False
    )
    table.add_column()
    table.add_column(justify="right", style="dim")
    for guess in guesses:
        table.add_row(Text(guess.piece), f"{guess.probability:.1%}")
    return table


def _write_json(text: str, masks: Sequence[Sequence[Guess]]) -> None:
    found = [[{"piece": guess.piece, "probability": guess.probability} for guess in guesses] for guesses in masks]
    ascii_only = not (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps({"text": text, "masks": found}, ensure_ascii=ascii_only) + "\n")


def entry() -> None:
    """The console script."""
    run_program(main)
