"""Words in a row that are chosen together, and tokens in random order with those together that belong together."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from mlm_data.masking.units import Chances
from mlm_data.training.dynamic_masking.words import Words, number_runs


def draw_unit_starts(words: Words, chances: Chances, seed: Any) -> Any:
    """Lays units of random sizes over the words of a batch like tiles, end to end.

    Args:
        words: of the batch.
        chances: of units of 1, 2, ... words.
        seed: int64 [2].

    Returns:
        The first token of each unit, bool [rows, L]. Special tokens and words that cannot be predicted are units of
        their own, and end any other.
    """
    follows = tf.pad(words.candidates[:, :-1], [[0, 0], [1, 0]])
    if len(chances) == 1:
        return words.starts | ~words.candidates
    count = tf.math.count_nonzero(words.starts, dtype=tf.int32)
    draws = tf.random.stateless_uniform([count], seed)
    ends = tf.cumsum(1 + tf.searchsorted(np.cumsum(chances)[:-1].astype(np.float32), draws, side="right"))
    begins = tf.scatter_nd(ends[:, tf.newaxis], tf.ones_like(ends), [len(chances) * count + 1]) > 0
    return ~(follows & words.candidates) | (words.starts & tf.gather(begins, number_runs(words.starts)))


def order_columns(words: Words, unit_starts: Any, seed: Any) -> Any:
    """The candidates of each row in random order, those of a unit together, then all other tokens.

    Args:
        words: of the batch.
        unit_starts: the first token of each unit, bool [rows, L].
        seed: int64 [2].

    Returns:
        Columns, int32 [rows, L].
    """
    scores = tf.random.stateless_uniform([tf.size(unit_starts)], seed)
    of_tokens = tf.gather(scores, number_runs(unit_starts))
    # Stable, so that tokens of one score stay in the order of the text.
    return tf.argsort(tf.where(words.candidates, of_tokens, 2.0), axis=1, stable=True)
