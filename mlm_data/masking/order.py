"""Tokens in random order: scores know where they come from, so that sorting them is all there is to do."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scores: TypeAlias = NDArray[np.unsignedinteger[Any]]
Columns: TypeAlias = NDArray[np.unsignedinteger[Any]]


def score_type(width: int) -> type[np.unsignedinteger[Any]]:
    """The type of scores for rows of this width: besides a column it holds at least 22 random bits."""
    return np.uint32 if _column_bits(width) <= 10 else np.uint64


def order_columns(scores: Scores, candidates: NDArray[np.bool_], *, first: int | None = None) -> Columns:
    """The candidates of each row by their scores, then all other tokens.

    The lowest bits of a score give way to its column: no two are equal then, and a sorted score says where it came
    from. Tokens of one score stay together, in the order of the text.

    Args:
        scores: of `score_type`, shape [instances, L], uniform over its whole range; overwritten.
        candidates: bool, shape [instances, L].
        first: how many columns of each row are wanted; None: all.

    Returns:
        Columns, shape [instances, first], in the narrowest unsigned type, so that look-ups in them stay in the cache.
    """
    kind, width = scores.dtype.type, scores.shape[1]
    column_mask = (1 << _column_bits(width)) - 1
    scores &= ~kind(column_mask)
    scores |= np.arange(width, dtype=kind)
    np.copyto(scores, np.iinfo(kind).max, where=~candidates)
    scores.sort(axis=1)
    return (scores[:, :first] & kind(column_mask)).astype(np.min_scalar_type(width))


def _column_bits(width: int) -> int:
    return (width - 1).bit_length()
