"""Training from the first step, or the latest checkpoint, to the last step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import tensorflow as tf

from mlm_data.config.training import TrainingRunSettings, TrainingSettings
from mlm_data.shards import TRAIN, VALIDATION
from mlm_data.training.dataset import PretrainingData
from mlm_data.training.evaluation import Evaluator
from mlm_data.training.huggingface import load_weights
from mlm_data.training.input import Reader
from mlm_data.training.model import ModelConfig, build_model
from mlm_data.training.optimization import make_optimizer, make_schedule
from mlm_data.training.progress import Progress
from mlm_data.training.run_directory import CHECKPOINTS, find_weights
from mlm_data.training.steps import make_run_steps
from mlm_data.training.strategies import check_batch_size, make_strategy
from mlm_data.training.training_log import Entry, TrainingLog
from mlm_data.training.workers import Share

# Devices are left alone for as many steps as take about so long.
_SECONDS_BETWEEN_REPORTS = 1.0

Tell = Callable[[int, Entry | None], None]


class DivergedError(Exception):
    """Training that leads nowhere; the message says since when and what to do."""


@dataclass(frozen=True)
class Training:
    """A training run as it is asked for.

    Attributes:
        settings: what decides the weights.
        run: where to read and write, and how often.
        data: to train and validate on.
        config: of the model.
    """

    settings: TrainingSettings
    run: TrainingRunSettings
    data: PretrainingData
    config: ModelConfig


@dataclass(frozen=True)
class Trained:
    """A run at its end.

    Attributes:
        model: with the weights after the last step.
        log: what the scores were on the way; last those of the whole validation split, if there is one.
        is_chief: whether it is up to this process to write results; others only helped.
    """

    model: keras.Model
    log: TrainingLog
    is_chief: bool


def train(training: Training, tell: Tell) -> Trained:
    """Trains a model, going on from the latest checkpoint in `model_dir`, if there is one.

    A run that was killed and goes on takes the very steps of one that was not: a checkpoint holds weights, moments of
    the optimizer, the state of dropout and the sums for the log; and batches follow from the number of the step.

    Args:
        training: what is asked for.
        tell: is called about once a second with the steps done, and the latest entry of the log for training.

    Raises:
        SettingsError: settings and devices do not fit each other.
        DivergedError: the loss is no number any more.
    """
    settings = training.settings
    strategy, worker = make_strategy(training.run.distribution)
    check_batch_size(settings.batch_size, settings.gradient_accumulation_steps, strategy)
    keras.utils.set_random_seed(settings.random_seed)
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()
    with strategy.scope(), _precision(settings), _own_directory(training.run, worker) as directory:
        loop = _Loop(training, directory, worker)
        loop.run(tell)
        return Trained(loop.model, loop.log, is_chief=worker.index == 0)


class _Loop:
    """What takes part in training, made in the scope of a strategy."""

    def __init__(self, training: Training, directory: Path, worker: Share) -> None:
        settings, run, data = training.settings, training.run, training.data
        self._settings, self._run, self._data = settings, run, data
        self.model = build_model(training.config)
        if settings.init_checkpoint:
            load_weights(self.model, find_weights(Path(settings.init_checkpoint)))
        optimizer = make_optimizer(settings, self.model.trainable_variables)
        self._progress = Progress(self.model, optimizer, directory / CHECKPOINTS, run.keep_checkpoints)
        self._progress.restore(Path(run.model_dir) / CHECKPOINTS)
        self.log = TrainingLog(directory, self._progress.step)
        self._evaluator = Evaluator(self.model, data, settings.batch_size, worker)
        self._run_steps = make_run_steps(self._progress, settings, worker)
        self._batches = iter(
            Reader(data, settings.batch_size, worker, draws_masks=settings.masking == "dynamic").training_batches(
                TRAIN,
                seed=settings.random_seed,
                shuffle_buffer=settings.shuffle_buffer,
                first=self._progress.step,
            )
        )
        self._schedule, self._pace = make_schedule(settings), _Pace()

    def run(self, tell: Tell) -> None:
        """Takes all steps that are left."""
        step = self._progress.step
        tell(step, self.log.last(TRAIN))
        while step < self._settings.num_train_steps:
            self._advance(min(self._next_stop(step) - step, self._pace.steps_in(_SECONDS_BETWEEN_REPORTS)))
            step = self._progress.step
            if self._is_due(step, self._run.log_every):
                self._log_training(step)
            if self._data.instances(VALIDATION) and self._is_due(step, self._run.validation_every):
                self._log_validation(step)
            if self._is_due(step, self._run.checkpoint_every):
                self._progress.save()
            tell(step, self.log.last(TRAIN))

    def _next_stop(self, step: int) -> int:
        """The step after which there is something to do."""
        every = (self._run.log_every, self._run.validation_every, self._run.checkpoint_every)
        return min(self._settings.num_train_steps, *((step // interval + 1) * interval for interval in every))

    def _is_due(self, step: int, interval: int) -> bool:
        return step % interval == 0 or step == self._settings.num_train_steps

    def _advance(self, steps: int) -> None:
        with self._pace.measure(steps):
            self._run_steps(self._batches, tf.constant(steps, tf.int64)).numpy()  # waits

    def _log_training(self, step: int) -> None:
        scores, rate = self._progress.take_scores(), float(self._schedule(step - 1))
        if not math.isfinite(scores.mlm_loss + (scores.next_sentence_loss or 0.0)):
            raise DivergedError(
                f"the loss was no number in the {self._run.log_every} steps before step {step}, at a learning rate of "
                f"{rate:.2g}; lower --learning_rate, or give it more --num_warmup_steps"
            )
        examples_per_second = self._settings.batch_size * self._pace.steps_per_second
        self.log.add(Entry(step, TRAIN, scores, rate, examples_per_second))

    def _log_validation(self, step: int) -> None:
        is_last = step == self._settings.num_train_steps
        scores = self._evaluator.evaluate(VALIDATION, -1 if is_last else self._run.max_eval_steps)
        self.log.add(Entry(step, VALIDATION, scores))


class _Pace:
    """How fast training goes, judged by its latest steps; the first ones, which make the graph, do not count."""

    def __init__(self) -> None:
        self._seconds_per_step: float | None = None
        self._is_warm = False

    @property
    def steps_per_second(self) -> float:
        """As of late."""
        return 1.0 / self._seconds_per_step if self._seconds_per_step else 0.0

    def steps_in(self, seconds: float) -> int:
        """How many to take in this time, at least 1."""
        return max(1, int(seconds * self.steps_per_second))

    @contextmanager
    def measure(self, steps: int) -> Iterator[None]:
        """So many are taken in the block."""
        begun = time.monotonic()
        yield
        latest = (time.monotonic() - begun) / steps
        if not self._is_warm:
            self._is_warm = True
        elif self._seconds_per_step is None:
            self._seconds_per_step = latest
        else:
            self._seconds_per_step = 0.8 * self._seconds_per_step + 0.2 * latest


@contextmanager
def _precision(settings: TrainingSettings) -> Iterator[None]:
    """In which precision models compute that are built in the block."""
    before = keras.config.dtype_policy()
    if settings.mixed_precision != "none":
        keras.config.set_dtype_policy(f"mixed_{settings.mixed_precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def _own_directory(run: TrainingRunSettings, worker: Share) -> Iterator[Path]:
    """Where this worker writes: the first to `model_dir`, others for nobody, since all have to save together."""
    if worker.index == 0:
        yield Path(run.model_dir)
        return
    with TemporaryDirectory() as directory:
        yield Path(directory)
