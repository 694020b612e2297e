"""Where words begin and end in rows of ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mlm_data.masking.candidates import find_candidates
from mlm_data.vocabulary import Vocabulary

# What an id may be; all others begin a word.
_CONTINUES, _SPECIAL = 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The words of a batch. Most tokens are words of one piece, so that the others are listed, too.

    Attributes:
        candidates: tokens of words that may be predicted, bool, shape [instances, L].
        continues: candidates that are not the first token of their word, of the same shape.
        others: all other tokens, as indices into the flattened batch, int64.
        totals: how many candidates there are, int64, shape [instances].
        pieces: those that continue their word, indices as `others`, int64, ascending.
        preceding: for each of `pieces` how many tokens of its word come before it, uint32.
    """

    candidates: NDArray[np.bool_]
    continues: NDArray[np.bool_]
    others: NDArray[np.int64]
    totals: NDArray[np.int64]
    pieces: NDArray[np.int64]
    preceding: NDArray[np.uint32]


def find_words(input_word_ids: NDArray[np.int32], vocabulary: Vocabulary) -> Words:
    """Cuts rows into words: a ## piece belongs to the word before it.

    After a special token there is none before it: it begins a word of its own, the rest of one that was cut there.

    Args:
        input_word_ids: shape [instances, L], rows beginning with [CLS].
        vocabulary: tells ## pieces and special tokens.
    """
    kinds, width = _kinds(vocabulary).take(input_word_ids), input_word_ids.shape[1]
    candidates, continues = kinds != _SPECIAL, kinds == _CONTINUES
    continues.ravel()[1:] &= candidates.ravel()[:-1]
    # One search instead of two: if it finds more than a tenth, numpy's way of searching is twice as fast.
    not_first = np.flatnonzero(continues | ~candidates)
    is_piece = continues.take(not_first)
    others, pieces = not_first.compress(~is_piece), not_first.compress(is_piece)
    totals = width - np.bincount(others // width, minlength=len(candidates))
    return Words(candidates, continues, others, totals, pieces, _count_preceding(pieces))


@lru_cache(maxsize=4)
def _kinds(vocabulary: Vocabulary) -> NDArray[np.uint8]:
    """What each id is, uint8, shape [pieces]: one look-up tells all that rows are cut by."""
    every_id = np.arange(len(vocabulary), dtype=np.int32)
    continues = np.where(vocabulary.is_continuation, np.uint8(_CONTINUES), np.uint8(0))
    return np.where(find_candidates(every_id, vocabulary), continues, np.uint8(_SPECIAL))


def find_word_starts(words: Words) -> NDArray[np.bool_]:
    """Which candidates are the first token of their word, bool, shape [instances, L]."""
    return words.candidates & ~words.continues


def _count_preceding(pieces: NDArray[np.int64]) -> NDArray[np.uint32]:
    """See `Words`; most pieces are the second of their word, so that only the others are looked at."""
    preceding = np.ones(len(pieces), np.uint32)
    later = np.flatnonzero(pieces[1:] - pieces[:-1] == 1) + 1
    thirds = later.copy()
    thirds[1:] *= later[1:] - later[:-1] > 1
    preceding[later] = 2 + later - np.maximum.accumulate(thirds)
    return preceding


def leave_out_long(words: Words, budgets: NDArray[np.int32]) -> Words:
    """Takes words of more pieces than their row's budget from the candidates: they cannot be predicted whole.

    If a row has no other, every piece counts as a word there, so that there is something to predict.

    Args:
        words: of `find_words`.
        budgets: most tokens to predict, shape [instances].
    """
    width = words.candidates.shape[1]
    long_heads = _find_long(words, budgets)
    if not len(long_heads):
        return words
    is_long_head = np.zeros(words.candidates.size, np.bool_)
    is_long_head[long_heads] = True
    is_long = is_long_head[words.pieces - words.preceding]
    left_out = np.concatenate([long_heads, words.pieces[is_long]])
    totals = words.totals - np.bincount(left_out // width, minlength=len(words.totals))
    cut = (totals == 0) & (words.totals > 0)
    totals[cut] = words.totals[cut]
    left_out = left_out[~cut[left_out // width]]
    candidates, continues = words.candidates.copy(), words.continues.copy()
    candidates.ravel()[left_out] = False
    is_kept = ~is_long & ~cut[words.pieces // width]
    continues.ravel()[words.pieces[~is_kept]] = False
    others = np.concatenate([words.others, left_out])
    return Words(candidates, continues, others, totals, words.pieces[is_kept], words.preceding[is_kept])


def _find_long(words: Words, budgets: NDArray[np.int32]) -> NDArray[np.int64]:
    """The first tokens of words of more pieces than their row's budget, as indices into the flattened batch."""
    pieces = np.flatnonzero(words.preceding >= budgets.min())  # so few that it pays to look at them alone
    rows = words.pieces[pieces] // words.candidates.shape[1]
    first_beyond = pieces[words.preceding[pieces] == budgets[rows]]  # one of each word
    heads: NDArray[np.int64] = words.pieces[first_beyond] - words.preceding[first_beyond]
    return heads
