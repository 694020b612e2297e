"""Between rooms 5 and 6: segments become rows of ids, [CLS] A [SEP] B [SEP] and padding, thousands at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mlm_data.records import InstanceBatch, Segments, TokenIds
from mlm_data.vocabulary import Vocabulary


def split_by_length(segments: Segments, lengths: Sequence[int]) -> Iterator[tuple[int, Segments]]:
    """Divides instances among the lengths they are to be padded to, each to the shortest that holds it.

    Args:
        segments: none is longer than the last of `lengths`, specials counted.
        lengths: ascending.

    Yields:
        Each length with its instances, in the order they had; there may be none.
    """
    bucket = shortest_holding(_token_counts(segments)[1], lengths)
    for number, length in enumerate(lengths):
        yield length, segments.take(np.flatnonzero(bucket == number))


def shortest_holding(tokens: NDArray[np.integer], lengths: Sequence[int]) -> NDArray[np.intp]:
    """Which of the lengths, ascending, is the shortest that holds so many tokens."""
    return np.searchsorted(lengths, tokens)


def gather_instances(segments: Segments, vocabulary: Vocabulary, max_seq_length: int) -> InstanceBatch:
    """Looks up the tokens of each instance; nothing is masked yet.

    Args:
        segments: with [CLS] and a [SEP] for each, at most `max_seq_length` tokens an instance. Without B there is no
            second [SEP].
        vocabulary: gives [CLS], [SEP] and [PAD].
        max_seq_length: the width L of the rows.
    """
    small = np.min_scalar_type(max_seq_length)  # the smaller the numbers, the faster all columns are compared
    column = np.arange(max_seq_length, dtype=small)
    a_lengths, lengths = _token_counts(segments)
    # Each row as if all of it were A, then as if all of it were B.
    with_a = _windows(segments.ids, segments.a_start - 1, max_seq_length)
    with_b = _windows(segments.ids, segments.b_start - a_lengths, max_seq_length)
    np.copyto(with_b, with_a, where=column < a_lengths.astype(small)[:, None])
    ids = with_b.astype(np.int32)
    np.copyto(ids, vocabulary.pad_id, where=column >= lengths.astype(small)[:, None])
    rows = np.arange(len(segments))
    ids[:, 0] = vocabulary.cls_id
    ids[rows, a_lengths - 1] = vocabulary.sep_id
    ids[rows, lengths - 1] = vocabulary.sep_id
    none = np.zeros((len(segments), 0), np.int32)
    return InstanceBatch(ids, lengths, a_lengths, none, none, np.zeros(len(segments), np.int32), segments.labels)


def _token_counts(segments: Segments) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Tokens of [CLS] A [SEP], and of whole instances, int32 [instances] each."""
    a_lengths = (segments.a_end - segments.a_start + 2).astype(np.int32)
    b_tokens = (segments.b_end - segments.b_start).astype(np.int32)
    return a_lengths, a_lengths + b_tokens + (b_tokens > 0)


def _windows(ids: TokenIds, starts: NDArray[np.int64], width: int) -> TokenIds:
    """ids[start : start + width] for each start, shape [starts, width]; beyond the ends of `ids` anything."""
    long_enough = ids if len(ids) >= width else np.pad(ids, (0, width - len(ids)))
    views = np.lib.stride_tricks.as_strided(long_enough, (len(long_enough) - width + 1, width), long_enough.strides * 2)
    inside = np.maximum(np.minimum(starts, len(views) - 1), 0)  # ten times as fast as `np.clip`
    windows = cast(TokenIds, views[inside])
    for row in np.flatnonzero(inside != starts).tolist():  # the very first and last of the corpus
        windows[row] = np.roll(windows[row], inside[row] - starts[row])
    return windows
