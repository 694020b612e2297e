"""Optimizers whose gradients are summed over replicas before they get them."""

from __future__ import annotations

from typing import Any


class ReducedGradients:
    """Mixed into an optimizer of Keras, takes gradients as they are in place of summing them over replicas.

    Keras shortens long gradients before it sums them over replicas, and looks for infinite ones on the first replica
    only: right for sums, wrong for parts. So they are summed before `apply`, and not again within.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:  # called by Keras's `_backend_update_step`
        return grads_and_vars
