"""LAMB, for batches of many thousands of instances (You et al. 2020, algorithm 2)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from mlm_data.training.reduced_gradients import ReducedGradients


class Lamb(ReducedGradients, keras.optimizers.Optimizer):
    """Adam whose step has in each weight matrix a length of the learning rate times the norm of the matrix.

    Weight decay is part of the step whose length is so chosen; Keras's own LAMB decays beside it. Weights excluded from
    decay take Adam's step as it is, as in the authors' code. For gradients that are summed over replicas.
    """

    def __init__(
        self, learning_rate: Any, *, weight_decay: float, beta_1: float, beta_2: float, epsilon: float, **options: Any
    ) -> None:
        """Args are those of Keras's optimizers; `options` are any others of theirs."""
        # Not told of the decay, Keras leaves it to us.
        super().__init__(learning_rate, **options)
        self._decay_rate, self._beta_1, self._beta_2, self._epsilon = weight_decay, beta_1, beta_2, epsilon

    def build(self, variables: Any) -> None:
        """Makes both moments of each weight."""
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one weight."""
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        step = ops.cast(self.iterations + 1, variable.dtype)
        self.assign_add(momentum, (1 - self._beta_1) * (gradient - momentum))
        self.assign_add(velocity, (1 - self._beta_2) * (ops.square(gradient) - velocity))
        mean = momentum / (1 - ops.power(self._beta_1, step))
        deviation = ops.sqrt(velocity / (1 - ops.power(self._beta_2, step)))
        update = mean / (deviation + self._epsilon)
        if self._use_weight_decay(variable):
            update += self._decay_rate * variable
            update *= _trust_ratio(variable, update)
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * update)


def _trust_ratio(variable: Any, update: Any) -> Any:
    """The norm of the weights over that of their update; 1 where one of them is 0."""
    norm, update_norm = (ops.sqrt(ops.sum(ops.square(values))) for values in (variable, update))
    is_defined = ops.logical_and(norm > 0, update_norm > 0)
    return ops.where(is_defined, norm / ops.where(is_defined, update_norm, 1.0), 1.0)
