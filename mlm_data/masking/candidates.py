"""Which tokens may be predicted, and how many of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlm_data.config import MaskingSettings
from mlm_data.vocabulary import Vocabulary


def find_candidates(input_word_ids: NDArray[np.int32], vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Which tokens are neither [CLS] nor [SEP] nor padding, bool of the same shape.

    Ids alone tell, wherever a [SEP] may stand, since text never gives these.
    """
    # Three comparisons, which are faster than one look-up in a table.
    special: NDArray[np.bool_] = input_word_ids == vocabulary.pad_id
    special |= input_word_ids == vocabulary.cls_id
    special |= input_word_ids == vocabulary.sep_id
    return ~special


def prediction_counts(lengths: NDArray[np.int32], settings: MaskingSettings) -> NDArray[np.int32]:
    """How many tokens to predict in instances of these lengths ([CLS] and [SEP] counted), int32 of the same shape.

    Rounds halves to even, as Python's `round` does in google-research/bert.
    """
    wanted = np.rint(settings.masked_lm_prob * lengths).astype(np.int32)
    counts: NDArray[np.int32] = np.clip(wanted, 1, settings.max_predictions_per_seq)
    return counts
