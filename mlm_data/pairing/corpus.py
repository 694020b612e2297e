"""Documents laid end to end, in one flat token array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from mlm_data.records import Segments, TokenIds, TokenizedCorpus, TokenizedDocument

Indices: TypeAlias = NDArray[np.int64]

# Makes one pass over a corpus, given what decides whatever is drawn.
SegmentMaker: TypeAlias = Callable[[np.random.Generator], Segments]


def lay_end_to_end(documents: Sequence[TokenizedDocument]) -> TokenizedCorpus:
    """Joins documents into one flat token array.

    Args:
        documents: in the order they are to lie.
    """
    sentence_counts = [len(document.sentence_offsets) - 1 for document in documents]
    lengths = np.concatenate([[], *(np.diff(document.sentence_offsets) for document in documents)])
    ids = [document.ids for document in documents]
    return TokenizedCorpus(
        ids=cast(TokenIds, np.concatenate(ids)) if ids else np.zeros(0, np.uint16),
        sentence_offsets=offsets_of(lengths),
        document_offsets=offsets_of(np.asarray(sentence_counts)),
    )


def offsets_of(lengths: NDArray[np.integer]) -> Indices:
    """Where things of these lengths begin when laid end to end, and where the last ends: int64 [things + 1]."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def rank_in_row(lengths: NDArray[np.integer]) -> Indices:
    """For each element of rows of these lengths, laid end to end, how many stand before it in its row.

    >>> rank_in_row(np.array([2, 0, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    offsets = offsets_of(lengths)
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
