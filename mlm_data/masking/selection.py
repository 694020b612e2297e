"""Which tokens of a batch are to be predicted, by each strategy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mlm_data.config import MaskingSettings
from mlm_data.masking.budget import choose_words
from mlm_data.masking.candidates import find_candidates, prediction_counts
from mlm_data.masking.scores import Numbers, ScoreBits, draw_scores
from mlm_data.masking.tokens import choose_tokens
from mlm_data.masking.units import unit_sizes
from mlm_data.masking.words import find_words, leave_out_long
from mlm_data.records import InstanceBatch
from mlm_data.vocabulary import Vocabulary

_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Tokens to predict.

    Attributes:
        positions: in their rows, int32, shape [instances, P], ascending, then 0 in slots that are not used.
        tokens: the same as indices into the flattened batch, int64.
        counts: how many of the P slots are used, int32, shape [instances].
        begins: which of them are hidden in a way of their own, bool, shape [instances, P]; the others in the same way
            as the token before. None: all.
    """

    positions: NDArray[np.int32]
    tokens: NDArray[np.int64]
    counts: NDArray[np.int32]
    begins: NDArray[np.bool_] | None = None


def select_tokens(
    batch: InstanceBatch, settings: MaskingSettings, vocabulary: Vocabulary, rng: np.random.Generator
) -> Selection:
    """Chooses the tokens to predict; arguments as for `mask_tokens`."""
    ids, slots = batch.input_word_ids, settings.max_predictions_per_seq
    budgets = prediction_counts(batch.lengths, settings)
    if settings.masking == "token":
        chosen, counts = choose_tokens(find_candidates(ids, vocabulary), budgets, rng)
        return _fill_slots(chosen, counts, slots)
    words = leave_out_long(find_words(ids, vocabulary), budgets)
    scores = draw_scores(words, unit_sizes(settings), rng)
    run, counts = choose_words(scores, words, budgets, slots, rng)
    return _put_in_order(run, counts, scores.bits, ids.shape[1], spans=settings.masking == "span")


def _fill_slots(chosen: NDArray[np.bool_], counts: NDArray[np.int32], slots: int) -> Selection:
    """The chosen tokens, of each row as many as counted."""
    row_starts = np.arange(0, chosen.size, chosen.shape[1])[:, None]
    tokens = np.repeat(row_starts, slots, axis=1)
    tokens[_for_slots(np.True_, np.False_, counts, slots)] = np.flatnonzero(chosen)
    return Selection((tokens - row_starts).astype(np.int32), tokens, counts)


def _put_in_order(run: Numbers, counts: NDArray[np.int32], bits: ScoreBits, width: int, *, spans: bool) -> Selection:
    """The tokens of runs on the circle; of spans, too, which are the first of theirs, or the first chosen of it."""
    keys = bits.columns_of(run)
    if spans:  # within one, scores go up by a column; whether they do is sorted along, in the lowest bit
        keys <<= np.uint32(1)
        keys.ravel()[1:] |= np.diff(run.ravel() >> np.uint32(bits.preceding)) == 1
        keys[:, 0] &= ~np.uint32(1)
    last = _for_slots(np.uint32(0), np.uint32(np.iinfo(np.uint32).max), counts, run.shape[1])
    keys |= last
    keys.sort(axis=1)
    begins = None
    if spans:
        begins = keys & np.uint32(1) == 0
        keys >>= np.uint32(1)
    keys &= ~last
    tokens = keys + np.arange(0, len(run) * width, width, dtype=np.uint32)[:, None]
    return Selection(keys.view(np.int32), tokens.astype(np.int64), counts, begins)


def _for_slots(used: _Scalar, unused: _Scalar, counts: NDArray[np.int32], slots: int) -> NDArray[_Scalar]:
    """One value for the slots that are used, so many of each row, and another for the rest, [instances, slots]."""
    numbers = np.arange(slots + 1)
    return np.where(numbers[:-1] < numbers[:, None], used, unused).take(counts, axis=0)
