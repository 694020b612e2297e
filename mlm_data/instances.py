"""Between rooms 5 and 6: segments become rows of ids, [CLS] A [SEP] B [SEP] and padding, thousands at a time."""

from __future__ import annotations

import numpy as np

from mlm_data.records import InstanceBatch, Segments
from mlm_data.vocabulary import Vocabulary


def gather_instances(segments: Segments, vocabulary: Vocabulary, max_seq_length: int) -> InstanceBatch:
    """Looks up the tokens of each instance; nothing is masked yet.

    Args:
        segments: with [CLS] and a [SEP] for each, at most `max_seq_length` tokens an instance. Without B there is no
            second [SEP].
        vocabulary: gives [CLS], [SEP] and [PAD].
        max_seq_length: the width L of the rows.
    """
    column = np.arange(max_seq_length, dtype=np.int32)
    a_lengths = (segments.a_end - segments.a_start + 2).astype(np.int32)
    b_tokens = (segments.b_end - segments.b_start).astype(np.int32)
    lengths = a_lengths + b_tokens + (b_tokens > 0)
    in_a = column < a_lengths[:, None]
    shift = np.where(in_a, (segments.a_start - 1)[:, None], (segments.b_start - a_lengths)[:, None])
    ids = segments.ids.take(shift + column, mode="clip").astype(np.int32)
    ids[column >= lengths[:, None]] = vocabulary.pad_id
    rows = np.arange(len(segments))
    ids[:, 0] = vocabulary.cls_id
    ids[rows, a_lengths - 1] = vocabulary.sep_id
    ids[rows, lengths - 1] = vocabulary.sep_id
    none = np.zeros((len(segments), 0), np.int32)
    return InstanceBatch(ids, lengths, a_lengths, none, none, np.zeros(len(segments), np.int32), segments.labels)
