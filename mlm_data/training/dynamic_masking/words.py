"""Where words begin and end in rows of ids, as `mlm_data.masking.words` has it."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from mlm_data.vocabulary import Vocabulary


class Words(NamedTuple):
    """The words of a batch.

    Attributes:
        candidates: tokens of words that may be predicted, bool, shape [rows, L].
        starts: the first token of each of these words, bool, shape [rows, L].
        ranks: how many tokens of its word stand before a candidate, int32, shape [rows, L]; elsewhere anything.
    """

    candidates: Any
    starts: Any
    ranks: Any


def find_word_starts(ids: Any, candidates: Any, vocabulary: Vocabulary) -> Any:
    """Where words begin, bool [rows, L]: at tokens that are no ## piece, or have none of their word before them.

    Args:
        ids: int32 [rows, L].
        candidates: tokens that are neither special nor padding, bool [rows, L].
        vocabulary: tells ## pieces.
    """
    follows = tf.pad(candidates[:, :-1], [[0, 0], [1, 0]])
    return candidates & ~(follows & tf.gather(tf.constant(vocabulary.is_continuation), ids))


def find_words(candidates: Any, starts: Any, budgets: Any) -> Words:
    """The words that can be predicted whole: of no more pieces than the budget of their row.

    If a row has no other, every piece counts as a word there, so that there is something to predict.

    Args:
        candidates: tokens that are neither special nor padding, bool [rows, L].
        starts: where words begin, bool [rows, L].
        budgets: most tokens to predict, int32 [rows].
    """
    numbers = number_runs(starts)
    ranks = tf.reshape(
        tf.range(tf.size(starts)) - tf.gather(_places(starts), tf.reshape(numbers, [-1])), tf.shape(starts)
    )
    reaches_beyond = tf.cast(candidates & (ranks >= budgets[:, tf.newaxis]), tf.int32)
    is_too_long = tf.math.segment_max(tf.reshape(reaches_beyond, [-1]), tf.reshape(numbers, [-1])) > 0
    fits = ~tf.gather(is_too_long, numbers)
    has_words = tf.reduce_any(candidates & fits, axis=1, keepdims=True)
    return Words(
        tf.where(has_words, candidates & fits, candidates),
        tf.where(has_words, starts & fits, candidates),
        tf.where(has_words, ranks, 0),
    )


def number_runs(starts: Any) -> Any:
    """Numbers the runs of tokens that begin at some of them, over all rows, int32 [rows, L].

    Tokens before the first belong to it, too.
    """
    counted = tf.cumsum(tf.reshape(tf.cast(starts, tf.int32), [-1]))
    return tf.reshape(tf.maximum(counted - 1, 0), tf.shape(starts))


def _places(starts: Any) -> Any:
    """Where they are in the flattened batch, int32 [runs]."""
    return tf.cast(tf.where(tf.reshape(starts, [-1]))[:, 0], tf.int32)
