"""Which length each batch has, where a dataset has several: each as often as its share of the instances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from mlm_data import chance
from mlm_data.training.keys import in_order

# Batches after which every length has had its share exactly, about.
_MOST_IN_A_CYCLE = 100_000


class LengthOrder:
    """An endless random order of lengths, which are numbered from 0 on.

    It is made of cycles, each of the same lengths in another random order; so that one knows, without drawing them all,
    how often each has come before any moment.
    """

    def __init__(self, instances: Sequence[int], key: Any) -> None:
        """Decides the order.

        Args:
            instances: of each length, at least 1.
            key: int64 [2].
        """
        counts = np.array(instances, np.int64) // math.gcd(*instances)
        if counts.sum() > _MOST_IN_A_CYCLE:
            counts = np.maximum(1, np.rint(counts * (_MOST_IN_A_CYCLE / counts.sum())).astype(np.int64))
        self._key, self._cycle, self._counts = key, np.repeat(np.arange(len(counts)), counts), counts

    def count(self, batches: int) -> list[int]:
        """How many of the first so many batches have each length."""
        cycles, rest = divmod(batches, len(self._cycle))
        begun = in_order(self._cycle, self._key, cycles)[:rest]
        counts = cycles * self._counts + np.bincount(begun.numpy(), minlength=len(self._counts))
        return [int(count) for count in counts]

    def numbers(self, first: int) -> Any:
        """The number of the length of each batch from the given one on: `tf.data` of int64."""
        cycles, rest = divmod(first, len(self._cycle))
        shuffled = tf.data.Dataset.range(cycles, np.iinfo(np.int64).max).flat_map(
            lambda number: tf.data.Dataset.from_tensor_slices(in_order(self._cycle, self._key, number))
        )
        return shuffled.skip(rest)


def order_all(batches: Sequence[int]) -> NDArray[np.int64]:
    """So many batches of each length, in an order such that the first few of them stand for all."""
    order = np.repeat(np.arange(len(batches)), batches)
    return chance.generator(0, "training", "lengths").permutation(order)
