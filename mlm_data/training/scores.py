"""How well a model guesses. Knows nothing of TensorFlow.

All is kept as sums until the very end, so that it adds up over devices, parts of a batch, and batches: the masked-LM
loss of many batches is the mean over all their predictions, however these are spread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self


class Sums(NamedTuple):
    """Sums over instances, scalars; those of next sentences are 0 where instances have no label.

    Attributes:
        mlm_loss: cross-entropies in nats of the predicted tokens.
        mlm_hits: predicted tokens that were guessed.
        predictions: predicted tokens.
        next_sentence_loss: cross-entropies in nats of the labels.
        next_sentence_hits: labels that were guessed.
        labels: labels.
        instances: instances.
    """

    mlm_loss: Any
    mlm_hits: Any
    predictions: Any
    next_sentence_loss: Any
    next_sentence_hits: Any
    labels: Any
    instances: Any


@dataclass(frozen=True)
class Scores:
    """Means over some instances; None where there are no labels.

    Attributes:
        mlm_loss: nats per predicted token.
        mlm_accuracy: share of predicted tokens guessed.
        next_sentence_loss: nats per label.
        next_sentence_accuracy: share of labels guessed.
        predictions: tokens that were to be predicted.
        instances: of how many instances.
    """

    mlm_loss: float
    mlm_accuracy: float
    next_sentence_loss: float | None
    next_sentence_accuracy: float | None
    predictions: int
    instances: int

    @classmethod
    def of(cls, sums: Sequence[float]) -> Self:
        """Takes means of sums in the order of `Sums`."""
        total = Sums(*map(float, sums))
        predictions, labels = total.predictions or math.nan, total.labels
        return cls(
            total.mlm_loss / predictions,
            total.mlm_hits / predictions,
            total.next_sentence_loss / labels if labels else None,
            total.next_sentence_hits / labels if labels else None,
            round(total.predictions),
            round(total.instances),
        )

    @property
    def perplexity(self) -> float:
        """E to the masked-LM loss: among how many tokens the model wavers, as it were."""
        return perplexity_of(self.mlm_loss)


def perplexity_of(mlm_loss: float) -> float:
    """E to a loss in nats."""
    return math.exp(min(mlm_loss, 700.0))  # beyond, a float has no room
