"""Masks drawn anew whenever an instance is read (Liu et al. 2019, section 4.1): the rules of room 6, as a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from mlm_data.config import MaskingSettings
from mlm_data.vocabulary import Vocabulary


def make_masker(settings: MaskingSettings, vocabulary: Vocabulary) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Gives the function that puts new masks in place of those a batch has, if it has any.

    Of n tokens, specials counted, min(P, max(1, round(masked_lm_prob * n))) are chosen, each alone and all with equal
    chance, never [CLS], [SEP] or padding. Of the chosen, shares of `mask_token_prob` and `random_token_prob` become
    [MASK] and an ordinary token drawn uniformly: see `mlm_data.masking.mask_tokens`, masking "token".

    Args:
        settings: the rates and P, the number of mask slots.
        vocabulary: gives the special and the ordinary tokens.

    Returns:
        A function of a batch by v2 feature name (ids int32 [rows, L] and [rows, P], weights float32 [rows, P]) and a
        seed, int [2]; it gives the batch masked anew.
    """
    slots = settings.max_predictions_per_seq
    ordinary = tf.constant(vocabulary.ordinary_ids)

    def mask(batch: dict[str, Any], seed: Any) -> dict[str, Any]:
        seeds = tf.unstack(tf.random.split(seed, 3))
        original_ids = unmask(batch)
        in_text = tf.cast(batch["input_mask"], tf.bool)
        is_special = (original_ids == vocabulary.cls_id) | (original_ids == vocabulary.sep_id)
        counts = _prediction_counts(in_text, settings)
        used = tf.range(slots) < counts[:, tf.newaxis]
        positions = _draw_positions(in_text & ~is_special, used, seeds[0])
        # In slots out of use, position 0 gets what it has.
        originals = tf.gather(original_ids, positions, batch_dims=1)
        draw = tf.random.stateless_uniform(tf.shape(positions), seeds[1])
        which = tf.random.stateless_uniform(tf.shape(positions), seeds[2], 0, len(vocabulary.ordinary_ids), tf.int32)
        replaced = tf.where(
            draw < settings.mask_token_prob + settings.random_token_prob, tf.gather(ordinary, which), originals
        )
        replaced = tf.where(draw < settings.mask_token_prob, vocabulary.mask_id, replaced)
        return batch | {
            "input_word_ids": _put(original_ids, positions, tf.where(used, replaced, originals)),
            "masked_lm_positions": positions,
            "masked_lm_ids": tf.where(used, originals, 0),
            "masked_lm_weights": tf.cast(used, tf.float32),
        }

    return mask


def unmask(batch: dict[str, Any]) -> Any:
    """The `input_word_ids` of a batch, int32 [rows, L], with the ids at predicted positions put back."""
    ids, positions = batch["input_word_ids"], batch["masked_lm_positions"]
    there = tf.gather(ids, positions, batch_dims=1)
    return _put(ids, positions, tf.where(batch["masked_lm_weights"] > 0, batch["masked_lm_ids"], there))


def _prediction_counts(in_text: Any, settings: MaskingSettings) -> Any:
    """How many tokens to predict, int32 [rows]; halves are rounded to even, as Python does."""
    # float64, as in the generator: a product such as 0.15 * 50 must fall on the same side of its half.
    lengths = tf.reduce_sum(tf.cast(in_text, tf.float64), axis=1)
    wanted = tf.cast(tf.round(settings.masked_lm_prob * lengths), tf.int32)
    return tf.clip_by_value(wanted, 1, settings.max_predictions_per_seq)


def _draw_positions(candidates: Any, used: Any, seed: Any) -> Any:
    """Positions in ascending order, int32 [rows, P]; 0 in slots out of use."""
    width = tf.shape(candidates)[1]
    scores = tf.random.stateless_uniform(tf.shape(candidates), seed)
    best = tf.math.top_k(tf.where(candidates, scores, -1.0), used.shape[1]).indices
    positions = tf.sort(tf.where(used, best, width), axis=1)
    return tf.where(used, positions, 0)


def _put(ids: Any, positions: Any, values: Any) -> Any:
    """Ids with other values at some positions of each row; positions that stand twice must have one value."""
    rows = tf.broadcast_to(tf.range(tf.shape(ids)[0])[:, tf.newaxis], tf.shape(positions))
    return tf.tensor_scatter_nd_update(ids, tf.stack([rows, positions], axis=-1), values)
