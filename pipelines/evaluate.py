"""`evaluate`: how well a trained model guesses instances of a dataset."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from mlm_data.config import make_section
from mlm_data.config.training import DynamicMaskingSettings
from mlm_data.shards import VALIDATION
from mlm_data.training.dataset import PretrainingData
from mlm_data.training.quiet_import import quiet_import
from mlm_data.training.trained_models import require_tensorflow
from pipelines.command_line import DONE, FlagParser, nearest_flag, run_program
from pipelines.storage_choice import storage_for
from pipelines.training_display import print_scores, print_unigram_entropy

EPILOG = """
Always the same instances and masks, whatever the model and the batches, so that two models, or two moments of one, can
be compared on one dataset.

examples:
  evaluate --model out/model --data_dir out/data
  evaluate --model out/model --data_dir out/data --split train --json | jq .mlm_loss

exit status: 0 done, 1 the run failed, 2 the command cannot be meant
"""


def main(arguments: Sequence[str]) -> int:
    """Runs the program; gives its exit status."""
    flags = _parse(arguments)
    data = PretrainingData.load(storage_for([flags.data_dir]), flags.data_dir)
    masks = make_section(DynamicMaskingSettings, vars(flags))
    data = data.with_masks("static" if data.has_masks else "dynamic", masks)
    data.shards(flags.split)  # refuses one that holds nothing, before the model is loaded
    require_tensorflow()
    with quiet_import():
        from mlm_data.training.evaluation import Evaluator, unigram_entropy  # noqa: PLC0415
        from mlm_data.training.model_choice import load_model  # noqa: PLC0415
    scores = Evaluator(load_model(flags.model, data), data, flags.batch_size).evaluate(flags.split)
    entropy = unigram_entropy(data, flags.split)
    if flags.json:
        told = {"perplexity": scores.perplexity, "unigram_entropy": entropy}
        content = {"split": flags.split, **asdict(scores), **told}
        sys.stdout.write(json.dumps(content) + "\n")
    else:
        console = Console(highlight=False)
        print_scores(console, f"{flags.model} on {flags.data_dir}", {flags.split: scores})
        print_unigram_entropy(console, entropy)
    return DONE


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = FlagParser(
        """Tells masked-LM loss, perplexity and accuracy, and next sentence accuracy, of a trained model on instances it
        was not trained on, each of them once; and the loss of guessing by the frequencies of their tokens alone.""",
        EPILOG,
    )
    parser.prog = "evaluate"
    parser.add_argument(
        "--model", type=Path, required=True, metavar="DIR",
        help="MODEL_DIR of train-bert, finished or not, one of its checkpoints (MODEL_DIR/checkpoints/ckpt-2000), or a "
        "BERT with config.json and model.safetensors.",
    )  # fmt: skip
    parser.add_argument(
        "--data_dir",
        required=True,
        metavar="DIR",
        help="Dataset of make-pretraining-data, made with the model's vocabulary.",
    )
    parser.add_argument(
        "--split", default=VALIDATION, metavar="SPLIT", help=f"Which of its splits (default: {VALIDATION})."
    )
    parser.add_argument(
        "--batch_size", type=_positive, default=64, metavar="N", help="Instances to look at together (default: 64)."
    )
    parser.add_section("masks, of data made with --masking none", DynamicMaskingSettings)
    parser.add_switch("json", "Write the scores as one JSON object instead.")
    parser.set_defaults(json=False)
    flags, unknown = parser.parse_flags(arguments)
    if unknown:
        parser.error(nearest_flag(unknown[0], parser.flag_names()))
    return flags


def _positive(value: str) -> int:
    if not value.isdecimal() or not int(value):
        raise argparse.ArgumentTypeError(f"got {value!r}; expected a number of instances, 1 or more")
    return int(value)


def entry() -> None:
    """The console script."""
    run_program(main)
