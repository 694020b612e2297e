"""Words within a budget of tokens, each with the same chance: the runs of `mlm_data.masking.budget`, as a graph.

As many rounds are taken as do leave least, where the generator goes by what they should leave.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from mlm_data.masking.budget import RUNS
from mlm_data.training.dynamic_masking.words import Words


def choose_words(order: Any, words: Words, budgets: Any, slots: int, seed: Any) -> tuple[Any, Any]:
    """Chooses whole words of so many tokens at most, and one word at least, from each row.

    Args:
        order: columns of the candidates in random order, those of a word together, then of all other tokens, int32
            [rows, L].
        words: of the batch; none has more pieces than its row's budget.
        budgets: most tokens to predict, int32 [rows].
        slots: P, at least the largest budget.
        seed: draws the runs, int64 [2].

    Returns:
        The columns of the chosen tokens, int32 [rows, P], with anything in unused slots, and how many they are, int32
        [rows].
    """
    totals = tf.math.count_nonzero(words.candidates, axis=1, dtype=tf.int32)
    starts = _cut_into_runs(tf.gather(words.ranks, order, batch_dims=1), tf.minimum(budgets, totals), totals)
    rounds = starts[1:] // totals
    runs = tf.range(1, tf.shape(starts)[0])
    last = tf.argmax(tf.cast(rounds, tf.float32) / tf.cast(runs, tf.float32)[:, tf.newaxis], output_type=tf.int32)
    draws = tf.random.stateless_uniform(tf.shape(totals), seed)
    run = tf.cast(draws * tf.cast(last + 1, tf.float32), tf.int32)
    begin, end = _pick(starts, run), tf.minimum(_pick(starts, run + 1), _pick(rounds, last) * totals)
    places = (begin[:, tf.newaxis] + tf.range(slots)) % totals[:, tf.newaxis]
    return tf.gather(order, places, batch_dims=1), end - begin


def _cut_into_runs(ranks: Any, budgets: Any, totals: Any) -> Any:
    """Where runs begin, in tokens from the beginning of the circle on, int32 [runs + 1, rows]; one round at least.

    A run ends where the budget does, or where the word begins that has its end beyond it.
    """

    def is_short(number: Any, start: Any, _: Any) -> Any:
        return (number <= RUNS) | tf.reduce_any(start < totals)

    def cut(number: Any, start: Any, starts: Any) -> Any:
        reach = start + budgets
        following = reach - tf.gather(ranks, reach % totals, batch_dims=1)
        return number + 1, following, starts.write(number, following)

    first = tf.zeros_like(totals)
    starts = tf.TensorArray(tf.int32, RUNS + 1, dynamic_size=True).write(0, first)
    return tf.while_loop(is_short, cut, (1, first, starts))[2].stack()


def _pick(values: Any, numbers: Any) -> Any:
    """The value of each row that has a number, of values [numbers, rows]."""
    return tf.gather(tf.transpose(values), numbers, batch_dims=1)
