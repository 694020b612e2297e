"""Where words begin and end in rows of ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlm_data.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The words of a batch. Most have one piece, so only the others are listed; indices are into the flattened batch.

    Attributes:
        candidates: tokens of words that may be predicted, bool, shape [instances, L].
        pieces: all tokens but the first of each word, int64, ascending, shape [pieces].
        heads: for each of `pieces` the first token of its word, int64, shape [pieces].
    """

    candidates: NDArray[np.bool_]
    pieces: NDArray[np.int64]
    heads: NDArray[np.int64]


def find_words(
    input_word_ids: NDArray[np.int32],
    candidates: NDArray[np.bool_],
    budgets: NDArray[np.int32],
    vocabulary: Vocabulary,
) -> Words:
    """Cuts rows into words: a ## piece belongs to the word before it.

    After a special token there is none before it: it begins a word of its own, the rest of one that was cut there. A
    word of more pieces than its row's budget cannot be predicted whole and is no candidate; if a row has no other,
    every piece counts as a word there, so that there is something to predict.

    Args:
        input_word_ids: shape [instances, L].
        candidates: tokens that are neither special nor padding, bool, shape [instances, L].
        budgets: most tokens to predict, shape [instances].
        vocabulary: tells ## pieces.
    """
    pieces = np.flatnonzero(_join_pieces(input_word_ids, candidates, vocabulary))
    is_second = np.ones(len(pieces), np.bool_)
    is_second[1:] = np.diff(pieces) > 1
    heads = np.maximum.accumulate(np.where(is_second, pieces - 1, 0))
    words = Words(candidates, pieces, heads)
    too_long = pieces - heads >= budgets[pieces // candidates.shape[1]]
    return _leave_out(words, heads[too_long]) if too_long.any() else words


def find_word_starts(
    input_word_ids: NDArray[np.int32], candidates: NDArray[np.bool_], vocabulary: Vocabulary
) -> NDArray[np.bool_]:
    """Where the words of `find_words` begin, bool, shape [instances, L]; arguments as there, whatever the budget."""
    return candidates & ~_join_pieces(input_word_ids, candidates, vocabulary)


def _join_pieces(
    input_word_ids: NDArray[np.int32], candidates: NDArray[np.bool_], vocabulary: Vocabulary
) -> NDArray[np.bool_]:
    """Which tokens belong to the word before them, bool, shape [instances, L]."""
    joined = vocabulary.is_continuation.take(input_word_ids)
    joined[:, 1:] &= candidates[:, :-1]  # rows begin with [CLS], which is no piece
    return joined


def _leave_out(words: Words, heads: NDArray[np.int64]) -> Words:
    """Takes the words with these heads from the candidates; in rows that lose all of them, pieces become words."""
    left_out = np.zeros(words.candidates.size, np.bool_)
    left_out[heads] = True
    left_out[words.pieces] = left_out[words.heads]
    candidates = words.candidates & ~left_out.reshape(words.candidates.shape)
    width = candidates.shape[1]
    rows = np.unique(heads // width)
    cut = rows[candidates[rows].sum(axis=1) == 0]
    candidates[cut] = words.candidates[cut]
    kept = ~np.isin(words.pieces // width, cut)
    return Words(candidates, words.pieces[kept], words.heads[kept])
