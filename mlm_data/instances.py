"""Between rooms 5 and 6: segment pairs become rows of ids, [CLS] A [SEP] B [SEP] and padding, thousands at a time."""

from __future__ import annotations

import numpy as np

from mlm_data.records import InstanceBatch, SegmentPairs, TokenizedCorpus
from mlm_data.vocabulary import Vocabulary


def gather_instances(
    corpus: TokenizedCorpus, pairs: SegmentPairs, vocabulary: Vocabulary, max_seq_length: int
) -> InstanceBatch:
    """Looks up the tokens of each pair; nothing is masked yet.

    Args:
        corpus: what the pairs' ranges point into.
        pairs: at most `max_seq_length - 3` tokens each.
        vocabulary: gives [CLS], [SEP] and [PAD].
        max_seq_length: the width L of the rows.
    """
    column = np.arange(max_seq_length, dtype=np.int32)
    a_lengths = (pairs.a_end - pairs.a_start + 2).astype(np.int32)
    lengths = a_lengths + (pairs.b_end - pairs.b_start + 1).astype(np.int32)
    in_a = column < a_lengths[:, None]
    shift = np.where(in_a, (pairs.a_start - 1)[:, None], (pairs.b_start - a_lengths)[:, None])
    ids = corpus.ids.take(shift + column, mode="clip").astype(np.int32)
    ids[column >= lengths[:, None]] = vocabulary.pad_id
    rows = np.arange(len(pairs))
    ids[:, 0] = vocabulary.cls_id
    ids[rows, a_lengths - 1] = vocabulary.sep_id
    ids[rows, lengths - 1] = vocabulary.sep_id
    none = np.zeros((len(pairs), 0), np.int32)
    return InstanceBatch(ids, lengths, a_lengths, none, none, np.zeros(len(pairs), np.int32), pairs.labels)
