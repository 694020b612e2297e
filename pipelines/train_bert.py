"""`train-bert`: a BERT model from shards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from mlm_data.config import SettingsError, make_section
from mlm_data.config.training import DynamicMaskingSettings, TrainingRunSettings, TrainingSettings
from mlm_data.training.dataset import PretrainingData
from mlm_data.training.quiet_import import quiet_import
from mlm_data.training.results import Results
from mlm_data.training.run_directory import CURVES, RunState, claim_run, clear_run, examine_run, run_fingerprint
from mlm_data.training.trained_models import require_tensorflow
from mlm_data.training.workers import this_worker
from pipelines.command_line import DONE, FAILED, FlagParser, nearest_flag, read_toml, run_program
from pipelines.stage_display import Stage, StageDisplay
from pipelines.storage_choice import storage_for
from pipelines.training_display import note_of, print_results

if TYPE_CHECKING:
    from mlm_data.training.loop import Training
    from mlm_data.training.training_log import Entry

EPILOG = """
MODEL_DIR gets the trained model as Hugging Face, Keras and TensorFlow Serving read it (export/), the log as JSON lines
and for TensorBoard, curves.svg, and results.json, which is written last. A run that was stopped, however rudely, is
started again with the same command: it goes on from its latest checkpoint and takes the very same steps.

examples:
  train-bert --data_dir out/data --model_dir out/model --model_size tiny --batch_size 64 --num_train_steps 20000
  train-bert --data_dir out/data-512 --model_dir out/model-512 --init_checkpoint out/model --num_train_steps 100000 \\
      --batch_size 256 --gradient_accumulation_steps 8 --mixed_precision bfloat16 --jit_compile

exit status: 0 done, 1 the run failed, 2 the command cannot be meant
"""


_TRAINING = Stage("training")
_SECTIONS = {
    "training": TrainingSettings,
    "masks, with --masking dynamic": DynamicMaskingSettings,
    "run": TrainingRunSettings,
}


def main(arguments: Sequence[str]) -> int:
    """Runs the program; gives its exit status."""
    settings, masks, run, overwrite = _parse(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    data = PretrainingData.load(storage_for([run.data_dir]), run.data_dir).with_masks(settings.masking, masks)
    directory, name = Path(run.model_dir), run_fingerprint(settings, data)
    state = RunState.FREE if overwrite else _look(console, directory, name)
    if state is RunState.FINISHED:
        _print(directory)
        return DONE
    require_tensorflow("tensorboard")
    with quiet_import():  # only now, since it takes seconds
        from mlm_data.training import loop  # noqa: PLC0415
        from mlm_data.training.finish import finish  # noqa: PLC0415
        from mlm_data.training.model_choice import choose_model  # noqa: PLC0415
    training = loop.Training(settings, run, data, choose_model(settings, data))
    if this_worker().index == 0:
        _claim(directory, name, training, clear=state is RunState.FREE)
    try:
        with StageDisplay(console) as display:
            trained = loop.train(training, _teller(display, settings.num_train_steps))
    except loop.DivergedError as error:
        console.print(f"[red]The run failed:[/] {escape(str(error))}")
        return FAILED
    if trained.is_chief:
        exported = finish(training, trained)
        if exported.no_saved_model:
            console.print(f"[yellow]warning:[/] no SavedModel was written: {escape(exported.no_saved_model)}")
        _print(directory)
    return DONE


def _parse(arguments: Sequence[str]) -> tuple[TrainingSettings, DynamicMaskingSettings, TrainingRunSettings, bool]:
    parser = FlagParser(
        """Trains a BERT model on a dataset of make-pretraining-data: masked language model and, where the data has
        pairs, next sentence prediction.""",
        EPILOG,
    )
    for title, section in _SECTIONS.items():
        parser.add_section(title, section)
    others = parser.add_argument_group("files")
    others.add_argument("--config", metavar="FILE", help="TOML file of settings by flag name; flags overrule it.")
    parser.add_switch("overwrite", "Delete the training run that is in the way in MODEL_DIR, if any.", others)
    namespace, unknown = parser.parse_flags(arguments)
    if unknown:
        parser.error(nearest_flag(unknown[0], parser.flag_names()))
    flags = vars(namespace)
    overwrite, config = flags.pop("overwrite", False), flags.pop("config", "")
    flags = (read_toml(config) if config else {}) | flags
    names = {field.name for section in _SECTIONS.values() for field in fields(section)}
    if strange := sorted(flags.keys() - names):
        raise SettingsError(f"unknown setting {', '.join(strange)}; expected names from {', '.join(sorted(names))}")
    masks, run = make_section(DynamicMaskingSettings, flags), make_section(TrainingRunSettings, flags)
    return make_section(TrainingSettings, flags), masks, run, overwrite


def _look(console: Console, directory: Path, name: str) -> RunState:
    """What MODEL_DIR holds of the run of this name; says so.

    Raises:
        SettingsError: something else is in the way.
    """
    state, found = examine_run(directory, name)
    shown = escape(str(directory))
    if state is RunState.OCCUPIED:
        raise SettingsError(f"{directory} holds {found}; choose another --model_dir, or --overwrite it")
    if state is RunState.FINISHED:
        console.print(f"{shown} already holds this very model; nothing to do.")
    if state is RunState.UNFINISHED:
        console.print(f"{shown} holds an unfinished run of this training; going on with it.")
    return state


def _claim(directory: Path, name: str, training: Training, *, clear: bool) -> None:
    """Makes MODEL_DIR ours, and clears it of another run if asked to.

    Raises:
        SettingsError: it cannot be written to.
    """
    try:
        if clear:
            clear_run(directory)
        claim_run(directory, name, training.settings, training.data, asdict(training.config))
    except OSError as error:
        raise SettingsError(f"--model_dir {directory} cannot be written to: {error}") from error


def _teller(display: StageDisplay, steps: int) -> Callable[[int, Entry | None], None]:
    display.begin(_TRAINING, steps)

    def tell(step: int, entry: Entry | None) -> None:
        display.reach(_TRAINING, step, note_of(entry) if entry else "")

    return tell


def _print(directory: Path) -> None:
    console = Console(highlight=False)
    print_results(console, Results.read(directory))
    console.print(f"Curves: {directory}/{CURVES}; in the browser: tensorboard --logdir {directory}", soft_wrap=True)
    console.print(f"Try it: fill-mask --model {directory} 'Good morning, [MASK].'", soft_wrap=True)


def entry() -> None:
    """The console script."""
    run_program(main)
