"""All that changes while a model is trained: what a checkpoint holds, and what a run that goes on needs."""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf

from mlm_data.training.scores import Scores, Sums


class Progress:
    """Where training stands. To be made in the scope of the strategy.

    Attributes:
        model: with the weights of now.
        optimizer: of these.
        steps: done, int64.
        totals: `Sums` over the instances since the scores were taken last, float64 [7].
    """

    def __init__(self, model: keras.Model, optimizer: keras.optimizers.Optimizer, directory: Path, keep: int) -> None:
        """Nothing is done yet.

        Args:
            model: with its first weights.
            optimizer: of these.
            directory: for checkpoints.
            keep: how many of them.
        """
        self.model, self.optimizer = model, optimizer
        self.steps = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.totals = tf.Variable(tf.zeros([len(Sums._fields)], tf.float64), trainable=False)
        # Keras does not track the seeds of dropout with the layers they belong to.
        seeds = [variable.value for variable in model.non_trainable_variables]
        self._checkpoint = tf.train.Checkpoint(
            steps=self.steps, totals=self.totals, model=model, optimizer=optimizer, seeds=seeds
        )
        self._manager = tf.train.CheckpointManager(self._checkpoint, str(directory), max_to_keep=keep)

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.steps.numpy())

    def restore(self, directory: Path) -> None:
        """Goes to the latest checkpoint in a directory, if there is one."""
        latest = tf.train.latest_checkpoint(str(directory))
        if latest:
            self._checkpoint.restore(latest).assert_consumed()

    def save(self) -> None:
        """Writes a checkpoint; it is whole or not there."""
        self._manager.save(self.step)

    def take_scores(self) -> Scores:
        """The scores on the instances since the last call."""
        scores = Scores.of(self.totals.numpy())
        self.totals.assign(tf.zeros_like(self.totals))
        return scores
