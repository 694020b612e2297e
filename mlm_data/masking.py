"""Room 6: a batch of instances becomes a masked batch (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from mlm_data.config import MaskingSettings
from mlm_data.records import InstanceBatch
from mlm_data.vocabulary import Vocabulary

MASK_TOKEN_PROB = 0.8
RANDOM_TOKEN_PROB = 0.1


def mask_tokens(
    batch: InstanceBatch, settings: MaskingSettings, vocabulary: Vocabulary, rng: np.random.Generator
) -> InstanceBatch:
    """Chooses tokens to predict, each alone and all with equal chance, and hides them.

    Of n tokens, specials counted, min(P, max(1, round(masked_lm_prob * n))) are chosen, never [CLS], [SEP] or padding,
    wherever these stand.
    Of the chosen, 80 % become [MASK], 10 % an ordinary token drawn uniformly, 10 % stay as they are.

    Args:
        batch: unmasked instances.
        settings: the rate and P, the number of mask slots.
        vocabulary: gives [MASK] and the ordinary tokens.
        rng: decides positions and replacements.

    Returns:
        The batch with `input_word_ids` changed and the masked_lm arrays filled, shape [instances, P].
    """
    slots = settings.max_predictions_per_seq
    is_separator = batch.input_word_ids == vocabulary.sep_id
    candidates = batch.lengths - 1 - np.count_nonzero(is_separator, axis=1)
    # Of documents of one word each, with [SEP] between them, half of all tokens may be more than all words.
    counts = np.minimum(prediction_counts(batch.lengths, settings), candidates)
    positions = _draw_positions(batch.lengths, is_separator, counts, slots, rng)
    used = np.arange(slots) < counts[:, None]
    originals = np.where(used, np.take_along_axis(batch.input_word_ids, positions, axis=1), 0)
    replaced = _replace(originals, vocabulary, rng)
    hidden = batch.input_word_ids.copy()
    rows = np.broadcast_to(np.arange(len(batch))[:, None], used.shape)
    hidden[rows[used], positions[used]] = replaced[used]
    return dataclasses.replace(
        batch,
        input_word_ids=hidden,
        masked_lm_positions=np.where(used, positions, 0),
        masked_lm_ids=originals,
        masked_lm_counts=counts,
    )


def prediction_counts(lengths: NDArray[np.int32], settings: MaskingSettings) -> NDArray[np.int32]:
    """How many tokens to predict in instances of these lengths ([CLS] and [SEP] counted), int32 of the same shape.

    Rounds halves to even, as Python's `round` does in google-research/bert.
    """
    wanted = np.rint(settings.masked_lm_prob * lengths).astype(np.int32)
    counts: NDArray[np.int32] = np.clip(wanted, 1, settings.max_predictions_per_seq)
    return counts


def _draw_positions(
    lengths: NDArray[np.int32],
    is_separator: NDArray[np.bool_],
    counts: NDArray[np.int32],
    slots: int,
    rng: np.random.Generator,
) -> NDArray[np.int32]:
    """Positions in ascending order, int32 [instances, slots]; slots past an instance's count hold position 0.

    Each candidate gets a random score whose lowest bits are its own column: the smallest scores win, none are equal,
    and a sorted score says where it came from.
    """
    width = is_separator.shape[1]
    column_bits = (width - 1).bit_length()
    score: type[np.uint32] | type[np.uint64] = np.uint32 if column_bits <= 10 else np.uint64
    column_mask = (1 << column_bits) - 1
    column = np.arange(width)
    scores = rng.integers(0, np.iinfo(score).max, is_separator.shape, dtype=score, endpoint=True)
    scores = scores >> score(column_bits) << score(column_bits) | column.astype(score)
    scores[(column >= lengths[:, None]) | is_separator] = np.iinfo(score).max
    scores[:, 0] = np.iinfo(score).max
    scores.sort(axis=1)
    used = np.arange(slots) < counts[:, None]
    positions = np.where(used, (scores[:, :slots] & score(column_mask)).astype(np.int32), np.int32(width))
    positions.sort(axis=1)
    return np.where(used, positions, 0)


def _replace(originals: NDArray[np.int32], vocabulary: Vocabulary, rng: np.random.Generator) -> NDArray[np.int32]:
    """What stands in the input in place of each original, int32 of the same shape."""
    draw = rng.random(originals.shape, dtype=np.float32)
    randoms = vocabulary.ordinary_ids[rng.integers(0, len(vocabulary.ordinary_ids), originals.shape)]
    kept_or_random = np.where(draw < MASK_TOKEN_PROB + RANDOM_TOKEN_PROB, randoms, originals)
    return np.where(draw < MASK_TOKEN_PROB, np.int32(vocabulary.mask_id), kept_or_random)
