"""What runs on the devices: steps of training and evaluation, as graphs that hold for any `tf.distribute` strategy.

All replicas of a worker are given the same batch and take their rows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from mlm_data.config.training import TrainingSettings
from mlm_data.training.dynamic_masking import Batch
from mlm_data.training.losses import sum_losses, total_loss
from mlm_data.training.model import POSITIONS_INPUT, SEQUENCE_INPUTS
from mlm_data.training.progress import Progress
from mlm_data.training.scores import Sums
from mlm_data.training.workers import WHOLE, Share

_SUM = tf.distribute.ReduceOp.SUM


def make_run_steps(progress: Progress, settings: TrainingSettings, worker: Share) -> Callable[[Any, Any], Any]:
    """Gives the function that trains for some steps: of an iterator of batches, and their number, an int64 tensor.

    It returns the new totals; who reads them waits for the devices.

    Args:
        progress: what is trained, and goes on with every step.
        settings: say how.
        worker: the share of this process.
    """
    strategy = tf.distribute.get_strategy()
    model, optimizer = progress.model, progress.optimizer
    take_rows = _row_taker(strategy, worker)
    compute = tf.function(_make_gradients(model, optimizer, settings), jit_compile=settings.jit_compile)

    def train_on(batch: Batch) -> Sums:
        context = tf.distribute.get_replica_context()
        rows = take_rows(batch)
        counts = [tf.reduce_sum(rows["masked_lm_weights"]), tf.cast(tf.shape(rows["input_mask"])[0], tf.float32)]
        predictions, labels = context.all_reduce(_SUM, counts)
        gradients, sums = compute(rows, predictions, labels)
        optimizer.apply(context.all_reduce(_SUM, gradients), model.trainable_variables)
        return sums

    def run_steps(batches: Any, steps: Any) -> Any:
        for _ in tf.range(steps):
            sums = strategy.run(train_on, (next(batches),))
            progress.totals.assign_add(_add_up(strategy, sums))
            progress.steps.assign_add(1)
        return progress.totals.read_value()

    return tf.function(run_steps, reduce_retracing=True)


def make_evaluate(model: keras.Model, worker: Share = WHOLE) -> Callable[[Any], Any]:
    """Gives the function that sums over all batches of a dataset: `Sums` as float64 [7]."""
    strategy = tf.distribute.get_strategy()
    take_rows = _row_taker(strategy, worker)

    def judge(batch: Batch) -> Sums:
        rows = take_rows(batch)
        return sum_losses(model(_inputs(rows), training=False), rows)

    def evaluate(batches: Any) -> Any:
        totals = tf.zeros([len(Sums._fields)], tf.float64)
        for batch in batches:
            totals += _add_up(strategy, strategy.run(judge, (batch,)))
        return totals

    return tf.function(evaluate, reduce_retracing=True)


def _row_taker(strategy: Any, worker: Share) -> Callable[[Batch], Batch]:
    """Gives the function by which a replica takes its rows of its worker's batch."""
    replicas = strategy.num_replicas_in_sync // worker.count

    def take(batch: Batch) -> Batch:
        if replicas == 1:
            return batch
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group - worker.index * replicas
        return {name: value[replica::replicas] for name, value in batch.items()}

    return take


def _make_gradients(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, settings: TrainingSettings
) -> Callable[[Batch, Any, Any], tuple[list[Any], Sums]]:
    """Gives the function of rows, and of the predictions and labels in the whole batch, to gradients and sums."""
    variables = model.trainable_variables
    parts = settings.gradient_accumulation_steps

    def of_part(rows: Batch, predictions: Any, labels: Any) -> tuple[list[Any], Sums]:
        with tf.GradientTape() as tape:
            sums = sum_losses(model(_inputs(rows), training=True), rows)
            loss = optimizer.scale_loss(total_loss(sums, predictions, labels))
        gradients = zip(tape.gradient(loss, variables), variables, strict=True)
        # On the pooler nothing depends, if instances have no labels.
        return [tf.zeros(weight.shape) if one is None else tf.convert_to_tensor(one) for one, weight in gradients], sums

    def of_all(rows: Batch, predictions: Any, labels: Any) -> tuple[list[Any], Sums]:
        if parts == 1:
            return of_part(rows, predictions, labels)
        divided = {name: _divide(value, parts) for name, value in rows.items()}
        gradients, sums = of_part({name: value[0] for name, value in divided.items()}, predictions, labels)
        for number in tf.range(1, parts):
            some = {name: value[number] for name, value in divided.items()}
            more_gradients, more = of_part(some, predictions, labels)
            gradients = [one + other for one, other in zip(gradients, more_gradients, strict=True)]
            sums = Sums(*(one + other for one, other in zip(sums, more, strict=True)))
        return gradients, sums

    return of_all


def _divide(value: Any, parts: int) -> Any:
    """Rows as so many equal parts, one after another; the length of sequences may be another in each batch."""
    widths = [value.shape[axis] or tf.shape(value)[axis] for axis in range(1, value.shape.rank)]
    return tf.reshape(value, [parts, -1, *widths])


def _inputs(batch: Mapping[str, Any]) -> dict[str, Any]:
    return {name: batch[name] for name in (*SEQUENCE_INPUTS, POSITIONS_INPUT)}


def _add_up(strategy: Any, sums: Sums) -> Any:
    """Sums of all replicas, float64 [7]."""
    return tf.stack([tf.cast(strategy.reduce(_SUM, value, axis=None), tf.float64) for value in sums])
