"""A batch masked anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from mlm_data.config import MaskingSettings
from mlm_data.masking.units import unit_sizes
from mlm_data.training.dynamic_masking.budget import choose_words
from mlm_data.training.dynamic_masking.units import draw_unit_starts, order_columns
from mlm_data.training.dynamic_masking.words import find_word_starts, find_words
from mlm_data.vocabulary import Vocabulary

Batch = dict[str, Any]  # tensors by v2 feature name
Masker = Callable[[Batch, Any], Batch]  # of a batch and a seed, int64 [2]


class _Selection(NamedTuple):
    """Tokens to predict.

    Attributes:
        positions: int32, shape [rows, P], ascending, then 0.
        used: slots, bool, shape [rows, P].
        begins: tokens that are hidden in a way of their own, bool, shape [rows, P]; the others in the same way as the
            token before. None: all.
    """

    positions: Any
    used: Any
    begins: Any = None


def make_masker(settings: MaskingSettings, vocabulary: Vocabulary) -> Masker:
    """Gives the function that puts new masks in place of those a batch has, if it has any.

    Which tokens are chosen, and how they are hidden, is decided by the rules of `mlm_data.masking.mask_tokens`, except
    that random tokens are ordinary ones in any case.

    Args:
        settings: strategy, rates and P, the number of mask slots.
        vocabulary: gives the special and the ordinary tokens, and tells ## pieces.

    Returns:
        A function of a batch by v2 feature name (ids int32 [rows, L] and perhaps masks, [rows, P], or word starts,
        [rows, L]) and a seed, int [2]; it gives the batch masked anew, ids int32 and weights float32 [rows, P].
    """
    ordinary = tf.constant(vocabulary.ordinary_ids)

    def mask(batch: Batch, seed: Any) -> Batch:
        seeds = tf.unstack(tf.random.split(seed, 5))
        original_ids = unmask(batch)
        in_text = tf.cast(batch["input_mask"], tf.bool)
        candidates = in_text & (original_ids != vocabulary.cls_id) & (original_ids != vocabulary.sep_id)
        budgets = _prediction_counts(in_text, settings)
        if settings.masking == "token":
            positions, used, begins = _select_tokens(candidates, budgets, settings, seeds[0])
        else:
            if "input_word_starts" in batch:
                starts = tf.cast(batch["input_word_starts"], tf.bool)
            else:
                starts = find_word_starts(original_ids, candidates, vocabulary)
            positions, used, begins = _select_words(candidates, starts, budgets, settings, seeds[:3])
        # In slots out of use, position 0 gets what it has.
        originals = tf.gather(original_ids, positions, batch_dims=1)
        draws = _share_fates(tf.random.stateless_uniform(tf.shape(positions), seeds[3]), begins)
        which = tf.random.stateless_uniform(tf.shape(positions), seeds[4], 0, len(vocabulary.ordinary_ids), tf.int32)
        replaced = tf.where(
            draws < settings.mask_token_prob + settings.random_token_prob, tf.gather(ordinary, which), originals
        )
        replaced = tf.where(draws < settings.mask_token_prob, vocabulary.mask_id, replaced)
        kept = {name: value for name, value in batch.items() if name != "input_word_starts"}
        return kept | {
            "input_word_ids": _put(original_ids, positions, tf.where(used, replaced, originals)),
            "masked_lm_positions": positions,
            "masked_lm_ids": tf.where(used, originals, 0),
            "masked_lm_weights": tf.cast(used, tf.float32),
        }

    return mask


def unmask(batch: Batch) -> Any:
    """The `input_word_ids` of a batch, int32 [rows, L], with the ids at predicted positions put back."""
    ids = batch["input_word_ids"]
    if "masked_lm_positions" not in batch:
        return ids
    positions = batch["masked_lm_positions"]
    there = tf.gather(ids, positions, batch_dims=1)
    return _put(ids, positions, tf.where(batch["masked_lm_weights"] > 0, batch["masked_lm_ids"], there))


def _prediction_counts(in_text: Any, settings: MaskingSettings) -> Any:
    """How many tokens to predict, int32 [rows]; halves are rounded to even, as Python does."""
    # float64, as in the generator: a product such as 0.15 * 50 must fall on the same side of its half.
    lengths = tf.reduce_sum(tf.cast(in_text, tf.float64), axis=1)
    wanted = tf.cast(tf.round(settings.masked_lm_prob * lengths), tf.int32)
    return tf.clip_by_value(wanted, 1, settings.max_predictions_per_seq)


def _select_tokens(candidates: Any, budgets: Any, settings: MaskingSettings, seed: Any) -> _Selection:
    """Single tokens, all with equal chance."""
    counts = tf.minimum(budgets, tf.math.count_nonzero(candidates, axis=1, dtype=tf.int32))
    scores = tf.random.stateless_uniform(tf.shape(candidates), seed)
    best = tf.math.top_k(tf.where(candidates, scores, -1.0), settings.max_predictions_per_seq).indices
    return _in_order(best, counts)


def _select_words(candidates: Any, starts: Any, budgets: Any, settings: MaskingSettings, seeds: Any) -> _Selection:
    """Whole words, alone or next to each other."""
    words = find_words(candidates, starts, budgets)
    unit_starts = draw_unit_starts(words, unit_sizes(settings), seeds[0])
    order = order_columns(words, unit_starts, seeds[1])
    chosen = _in_order(*choose_words(order, words, budgets, settings.max_predictions_per_seq, seeds[2]))
    if settings.masking != "span":
        return chosen
    # The first of its span, or the first that was chosen of it.
    begins = tf.gather(unit_starts, chosen.positions, batch_dims=1)
    before = tf.pad(chosen.positions[:, :-1], [[0, 0], [1, 0]], constant_values=-1)
    return chosen._replace(begins=begins | (chosen.positions != before + 1))


def _in_order(columns: Any, counts: Any) -> _Selection:
    """As many columns of each row as counted, ascending, then 0."""
    used = tf.range(tf.shape(columns)[1]) < counts[:, tf.newaxis]
    positions = tf.sort(tf.where(used, columns, tf.int32.max), axis=1)
    return _Selection(tf.where(used, positions, 0), used)


def _share_fates(draws: Any, begins: Any) -> Any:
    """One of the numbers for all tokens that are hidden in the same way, float32 [rows, P]."""
    if begins is None:
        return draws
    numbers = tf.cumsum(tf.reshape(tf.cast(begins, tf.int32), [-1])) - 1
    return tf.reshape(tf.gather(tf.reshape(draws, [-1]), numbers), tf.shape(draws))


def _put(ids: Any, positions: Any, values: Any) -> Any:
    """Ids with other values at some positions of each row; positions that stand twice must have one value."""
    rows = tf.broadcast_to(tf.range(tf.shape(ids)[0])[:, tf.newaxis], tf.shape(positions))
    return tf.tensor_scatter_nd_update(ids, tf.stack([rows, positions], axis=-1), values)
