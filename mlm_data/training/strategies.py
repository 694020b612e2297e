"""On which devices a model is trained."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from mlm_data.config import SettingsError
from mlm_data.training.workers import Share, this_worker


def make_strategy(distribution: str) -> tuple[Any, Share]:
    """A `tf.distribute` strategy, and the share of this process.

    Args:
        distribution: see `TrainingRunSettings`.

    Raises:
        SettingsError: it does not fit what TF_CONFIG says, or that makes no sense.
    """
    worker = this_worker()
    if distribution == "auto":
        several = len(tf.config.list_physical_devices("GPU")) > 1
        distribution = "multi_worker" if worker.count > 1 else "mirrored" if several else "one"
    if distribution == "multi_worker":
        if worker.count == 1:
            raise SettingsError(
                "--distribution is multi_worker, but TF_CONFIG names no other machine; expected a cluster of workers "
                "in this environment variable, and which of them this is"
            )
        return tf.distribute.MultiWorkerMirroredStrategy(), worker
    if distribution == "mirrored":
        return tf.distribute.MirroredStrategy(), Share()
    gpus = tf.config.list_logical_devices("GPU")
    return tf.distribute.OneDeviceStrategy("/gpu:0" if gpus else "/cpu:0"), Share()


def check_batch_size(batch_size: int, parts: int, strategy: Any) -> None:
    """Makes sure that every replica gets as many rows of a batch, and can go through them in parts.

    Raises:
        SettingsError: it is not so.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % (replicas * parts):
        raise SettingsError(
            f"--batch_size is {batch_size}; expected a multiple of {replicas * parts}, for {replicas} devices and "
            f"--gradient_accumulation_steps {parts}"
        )
