"""AdamW, and LAMB for batches of many thousands: optimizers of Keras, for gradients already summed over replicas."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class AdamW(keras.optimizers.Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), epsilon where the paper has it.

    Keras's own shortens long gradients before it sums them over replicas, and looks for infinite ones on the first
    replica only. Here they are summed before `apply`, and not again within it.
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
            update = self._scale_decayed(variable, update + self._decay_rate * variable)
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * update)

    def _scale_decayed(self, variable: Any, update: Any) -> Any:  # noqa: ARG002 (others look at the weight)
        """The update of a weight that decays, before it is multiplied by the learning rate."""
        return update

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:  # where Keras sums them over replicas
        return grads_and_vars


class Lamb(AdamW):
    """AdamW whose update of each weight matrix has the norm of that matrix (You et al. 2020, algorithm 2).

    Weights excluded from decay take Adam's update as it is, as in the authors' code. Keras's own LAMB decays beside the
    update whose norm is set, not within.
    """

    def _scale_decayed(self, variable: Any, update: Any) -> Any:
        norm, update_norm = (ops.sqrt(ops.sum(ops.square(values))) for values in (variable, update))
        is_defined = ops.logical_and(norm > 0, update_norm > 0)
        return update * ops.where(is_defined, norm / ops.where(is_defined, update_norm, 1.0), 1.0)
