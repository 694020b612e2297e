"""What is minimized and what is told: masked-LM and next sentence losses (Devlin et al. 2019, section 3.1) and hits.

All of it is kept as sums until the very end, so that it adds up over devices, parts of a batch, and batches; the masked
LM loss of many batches is that of all their predictions, however these are spread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from mlm_data.training.model import NEXT_SENTENCE


class Sums(NamedTuple):
    """Sums over instances, scalars; those of next sentences are 0 where instances have no label.

    Attributes:
        mlm_loss: cross-entropies in nats of the predicted tokens.
        mlm_hits: predicted tokens that were guessed.
        predictions: predicted tokens.
        next_sentence_loss: cross-entropies in nats of the labels.
        next_sentence_hits: labels that were guessed.
        labels: labels.
    """

    mlm_loss: Any
    mlm_hits: Any
    predictions: Any
    next_sentence_loss: Any
    next_sentence_hits: Any
    labels: Any


@dataclass(frozen=True)
class Scores:
    """Means over some instances; None where there are no labels.

    Attributes:
        mlm_loss: nats per predicted token.
        mlm_accuracy: share of predicted tokens guessed.
        next_sentence_loss: nats per label.
        next_sentence_accuracy: share of labels guessed.
    """

    mlm_loss: float
    mlm_accuracy: float
    next_sentence_loss: float | None
    next_sentence_accuracy: float | None

    @classmethod
    def of(cls, sums: Sequence[float]) -> Scores:
        """Takes means of sums in the order of `Sums`."""
        total = Sums(*map(float, sums))
        predictions = total.predictions or math.nan
        if not total.labels:
            return cls(total.mlm_loss / predictions, total.mlm_hits / predictions, None, None)
        return cls(
            total.mlm_loss / predictions,
            total.mlm_hits / predictions,
            total.next_sentence_loss / total.labels,
            total.next_sentence_hits / total.labels,
        )

    @property
    def perplexity(self) -> float:
        """e to the masked-LM loss: among how many tokens the model wavers, as it were."""
        return math.exp(min(self.mlm_loss, 700.0))  # beyond, a float has no room


def sum_losses(outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> Sums:
    """Compares a model's outputs with what was masked and labelled.

    Args:
        outputs: `mlm_logits` [rows, P, vocab] and, if there are labels, `next_sentence_logits` [rows, 2].
        batch: `masked_lm_ids` int [rows, P], `masked_lm_weights` float [rows, P] and perhaps `next_sentence_labels`
            int [rows].
    """
    ids, weights = batch["masked_lm_ids"], batch["masked_lm_weights"]
    mlm_loss, mlm_hits = _compare(outputs["mlm_logits"], ids, weights)
    zero = tf.zeros([])
    if "next_sentence_labels" not in batch:
        return Sums(mlm_loss, mlm_hits, tf.reduce_sum(weights), zero, zero, zero)
    labels = batch["next_sentence_labels"]
    ones = tf.ones_like(labels, tf.float32)
    loss, hits = _compare(outputs[f"{NEXT_SENTENCE}_logits"], labels, ones)
    return Sums(mlm_loss, mlm_hits, tf.reduce_sum(weights), loss, hits, tf.reduce_sum(ones))


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
