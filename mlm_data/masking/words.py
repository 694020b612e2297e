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
    """The words of a batch. Most tokens are words of one piece, so that only the others are listed.

    Attributes:
        candidates: tokens of words that may be predicted, bool, shape [instances, L].
        others: all other tokens, as indices into the flattened batch, int64.
        totals: how many candidates there are, int64, shape [instances].
        pieces: candidates that are not the first token of their word, indices as `others`, int64, ascending.
        preceding: for each of `pieces` how many tokens of its word come before it, int64.
    """

    candidates: NDArray[np.bool_]
    others: NDArray[np.int64]
    totals: NDArray[np.int64]
    pieces: NDArray[np.int64]
    preceding: NDArray[np.int64]


def find_words(input_word_ids: NDArray[np.int32], vocabulary: Vocabulary) -> Words:
    """Cuts rows into words: a ## piece belongs to the word before it.

    After a special token there is none before it: it begins a word of its own, the rest of one that was cut there.

    Args:
        input_word_ids: shape [instances, L], rows beginning with [CLS].
        vocabulary: tells ## pieces and special tokens.
    """
    kinds, width = _kinds(vocabulary).take(input_word_ids), input_word_ids.shape[1]
    candidates = kinds != _SPECIAL
    others, pieces = np.flatnonzero(kinds == _SPECIAL), np.flatnonzero(kinds == _CONTINUES)
    pieces = pieces[candidates.take(pieces - 1)]
    totals = width - np.bincount(others // width, minlength=len(candidates))
    return Words(candidates, others, totals, pieces, _count_preceding(pieces))


@lru_cache(maxsize=4)
def _kinds(vocabulary: Vocabulary) -> NDArray[np.uint8]:
    """What each id is, uint8, shape [pieces]: one look-up tells all that rows are cut by."""
    every_id = np.arange(len(vocabulary), dtype=np.int32)
    continues = np.where(vocabulary.is_continuation, np.uint8(_CONTINUES), np.uint8(0))
    return np.where(find_candidates(every_id, vocabulary), continues, np.uint8(_SPECIAL))


def find_word_starts(words: Words) -> NDArray[np.bool_]:
    """Which candidates are the first token of their word, bool, shape [instances, L]."""
    starts = words.candidates.copy()
    starts.ravel()[words.pieces] = False
    return starts


def _count_preceding(pieces: NDArray[np.int64]) -> NDArray[np.int64]:
    is_second = np.ones(len(pieces), np.bool_)
    is_second[1:] = np.diff(pieces) > 1
    return pieces - np.maximum.accumulate(np.where(is_second, pieces - 1, 0))


def leave_out_long(words: Words, budgets: NDArray[np.int32]) -> Words:
    """Takes words of more pieces than their row's budget from the candidates: they cannot be predicted whole.

    If a row has no other, every piece counts as a word there, so that there is something to predict.

    Args:
        words: of `find_words`.
        budgets: most tokens to predict, shape [instances].
    """
    width = words.candidates.shape[1]
    goes_beyond = words.preceding == budgets[words.pieces // width]  # one piece of each word that is too long
    if not goes_beyond.any():
        return words
    heads, is_long_head = words.pieces - words.preceding, np.zeros(words.candidates.size, np.bool_)
    long_heads = heads[goes_beyond]
    is_long_head[long_heads] = True
    is_long = is_long_head[heads]
    left_out = np.concatenate([long_heads, words.pieces[is_long]])
    totals = words.totals - np.bincount(left_out // width, minlength=len(words.totals))
    cut = (totals == 0) & (words.totals > 0)
    totals[cut] = words.totals[cut]
    left_out = left_out[~cut[left_out // width]]
    candidates = words.candidates.copy()
    candidates.ravel()[left_out] = False
    kept = ~is_long & ~cut[words.pieces // width]
    return Words(
        candidates, np.concatenate([words.others, left_out]), totals, words.pieces[kept], words.preceding[kept]
    )
