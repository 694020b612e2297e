"""Which tokens of a batch are to be predicted, by each strategy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlm_data.chance import random_bits
from mlm_data.config import MaskingSettings
from mlm_data.masking.budget import choose_words
from mlm_data.masking.candidates import find_candidates, prediction_counts
from mlm_data.masking.order import Columns, order_columns, score_type
from mlm_data.masking.units import draw_jumps, unit_sizes
from mlm_data.masking.words import find_words
from mlm_data.records import InstanceBatch
from mlm_data.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Tokens to predict.

    Attributes:
        positions: int32, shape [instances, P], ascending, then 0.
        counts: how many of the P slots are used, int32, shape [instances].
        begins: which of them are hidden in a way of their own, bool, shape [instances, P]; the others in the same way
            as the token before. None: all.
    """

    positions: NDArray[np.int32]
    counts: NDArray[np.int32]
    begins: NDArray[np.bool_] | None = None


def select_tokens(
    batch: InstanceBatch, settings: MaskingSettings, vocabulary: Vocabulary, rng: np.random.Generator
) -> Selection:
    """Chooses the tokens to predict; arguments as for `mask_tokens`."""
    ids, slots = batch.input_word_ids, settings.max_predictions_per_seq
    budgets = prediction_counts(batch.lengths, settings)
    candidates, kind = find_candidates(ids, vocabulary), score_type(ids.shape[1])
    if settings.masking == "token":
        scores = random_bits(ids.size, kind, rng).reshape(ids.shape)
        counts = np.minimum(budgets, candidates.sum(axis=1, dtype=np.int32))
        return Selection(_in_order(order_columns(scores, candidates, first=slots), counts), counts)
    words = find_words(ids, candidates, budgets, vocabulary)
    jumps = draw_jumps(words, unit_sizes(settings), kind, rng)
    scores = np.cumsum(jumps, dtype=kind).reshape(ids.shape)
    columns, counts = choose_words(order_columns(scores, words.candidates), words, budgets, slots, rng)
    positions = _in_order(columns, counts)
    begins = _find_begins(positions, jumps.reshape(ids.shape) != 0) if settings.masking == "span" else None
    return Selection(positions, counts, begins)


def _in_order(columns: Columns, counts: NDArray[np.int32]) -> NDArray[np.int32]:
    """As many columns of each row as counted, ascending, then 0."""
    used = np.arange(columns.shape[1]) < counts[:, None]
    positions = np.where(used, columns, np.int32(np.iinfo(np.int32).max))
    positions.sort(axis=1)
    return np.where(used, positions, 0)


def _find_begins(positions: NDArray[np.int32], is_first: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which positions are the first of their unit, or the first that was chosen of it."""
    begins = np.take_along_axis(is_first, positions, axis=1)
    begins[:, 0] = True
    begins[:, 1:] |= positions[:, 1:] != positions[:, :-1] + 1
    return begins
