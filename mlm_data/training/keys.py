"""Randomness of the input, without state: whatever is drawn follows from a key and a number."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from mlm_data import chance


def make_key(seed: int, *purpose: str | int) -> Any:
    """A seed for TensorFlow's stateless random numbers, int64 [2]."""
    return tf.constant(chance.generator(seed, "training", *purpose).integers(0, 2**31, 2), tf.int64)


def in_order(values: Any, key: Any, number: Any) -> Any:
    """Values in the random order that they have the so-manieth time."""
    # Another type of the number would give another seed.
    return tf.random.experimental.stateless_shuffle(values, tf.random.fold_in(key, tf.cast(number, tf.int64)))
