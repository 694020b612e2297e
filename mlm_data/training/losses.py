"""What is minimized: masked-LM and next sentence losses (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from mlm_data.training.model import NEXT_SENTENCE
from mlm_data.training.scores import Sums


def sum_losses(outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> Sums:
    """Compares a model's outputs with what was masked and labelled.

    Args:
        outputs: `mlm_logits` [rows, P, vocab] and, if there are labels, `next_sentence_logits` [rows, 2].
        batch: `masked_lm_ids` int [rows, P], `masked_lm_weights` float [rows, P] and perhaps `next_sentence_labels`
            int [rows].
    """
    ids, weights = batch["masked_lm_ids"], batch["masked_lm_weights"]
    mlm_loss, mlm_hits = _compare(outputs["mlm_logits"], ids, weights)
    zero, instances = tf.zeros([]), tf.cast(tf.shape(ids)[0], tf.float32)
    if "next_sentence_labels" not in batch:
        return Sums(mlm_loss, mlm_hits, tf.reduce_sum(weights), zero, zero, zero, instances)
    labels = batch["next_sentence_labels"]
    ones = tf.ones_like(labels, tf.float32)
    loss, hits = _compare(outputs[f"{NEXT_SENTENCE}_logits"], labels, ones)
    return Sums(mlm_loss, mlm_hits, tf.reduce_sum(weights), loss, hits, instances, instances)


def total_loss(sums: Sums, predictions: Any, labels: Any) -> Any:
    """The share of some instances in the loss of a batch, which is the sum of two means: by prediction and by label.

    Args:
        sums: of these instances.
        predictions: in the whole batch.
        labels: in the whole batch.
    """
    mlm = tf.math.divide_no_nan(sums.mlm_loss, predictions)
    return mlm + tf.math.divide_no_nan(sums.next_sentence_loss, labels)


def _compare(logits: Any, targets: Any, weights: Any) -> tuple[Any, Any]:
    """Weighted sums of cross-entropies and of hits, float32."""
    logits = tf.cast(logits, tf.float32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
    hits = tf.cast(tf.equal(tf.argmax(logits, axis=-1, output_type=targets.dtype), targets), tf.float32)
    return tf.reduce_sum(losses * weights), tf.reduce_sum(hits * weights)
