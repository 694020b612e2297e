"""Steps of BERT's training: learning rate, weight decay, and which optimizer applies them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from mlm_data.config.training import TrainingSettings
from mlm_data.training.optimizers import AdamW, Lamb

# google-research/bert, `optimization.create_optimizer`
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-6
# Names of the weights in Keras's layers: biases, and scale and shift of layer norms.
_UNDECAYED = {"bias", "gamma", "beta"}


class WarmupThenDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises in a line to its peak, then falls to 0 as a power of the steps that are left.

    Step i, counted from 0, of a warm-up of w steps and n in all takes peak * (i + 1) / w, and after the warm-up
    peak * ((n - i) / (n - w)) ** power; so that no step takes a rate of 0.
    """

    def __init__(self, peak: float, warmup_steps: int, steps: int, power: float) -> None:
        self._peak, self._warmup_steps, self._steps, self._power = peak, warmup_steps, steps, power

    def __call__(self, step: Any) -> Any:
        """The rate of a step, float32."""
        step = tf.cast(step, tf.float32)
        rising = (step + 1.0) / max(1, self._warmup_steps)
        left = tf.maximum(0.0, self._steps - step) / max(1, self._steps - self._warmup_steps)
        return self._peak * tf.where(step < self._warmup_steps, rising, left**self._power)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "peak": self._peak,
            "warmup_steps": self._warmup_steps,
            "steps": self._steps,
            "power": self._power,
        }


def make_schedule(settings: TrainingSettings) -> WarmupThenDecay:
    """The learning rate by step of the optimizer."""
    return WarmupThenDecay(
        settings.learning_rate, settings.warmup_steps, settings.num_train_steps, settings.decay_power
    )


def make_optimizer(settings: TrainingSettings, variables: Sequence[Any]) -> keras.optimizers.Optimizer:
    """AdamW or LAMB, which never decays biases and layer norms, with loss scaling where float16 needs it.

    Its `apply` takes gradients that are summed over all replicas and parts of a batch, and shortens them to
    `max_grad_norm`; so one call is one step of the learning rate.

    Args:
        settings: say which.
        variables: the model's trainable ones.
    """
    kind = {"adamw": AdamW, "lamb": Lamb}[settings.optimizer]
    optimizer = kind(
        learning_rate=make_schedule(settings),
        weight_decay=settings.weight_decay,
        beta_1=_BETA_1,
        beta_2=_BETA_2,
        epsilon=_EPSILON,
        global_clipnorm=settings.max_grad_norm or None,
    )
    optimizer.exclude_from_weight_decay([variable for variable in variables if variable.name in _UNDECAYED])
    if settings.mixed_precision == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer
