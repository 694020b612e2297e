"""Learns WordPiece pieces from counted words: characters first, then, again and again, the most frequent pair.

This is byte-pair encoding (Sennrich et al. 2016) with ## before what continues a word, as the `WordPieceTrainer` of
`tokenizers` does it; google-research/bert never published its learner. That trainer gives another vocabulary at each
run: it numbers characters in the order of a hash table and breaks ties by these numbers. Here characters are numbered
by code point and of equally frequent pairs the one of lower numbers goes first, so that counts alone decide.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlm_data.vocabulary import CONTINUATION

_PIECES_BETWEEN_REPORTS = 100
_ID_BITS = 32
_ID_MASK = (1 << _ID_BITS) - 1

Positions = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class LearntPieces:
    """What was learnt, each part in the order of its ids.

    Attributes:
        alphabet: single characters by code point, first as they begin a word, then (##) as they continue one.
        merges: longer pieces, in the order learnt.
    """

    alphabet: tuple[str, ...]
    merges: tuple[str, ...]


class AlphabetTooLargeError(ValueError):
    """There is no room for the characters; `needed` says how many pieces they take."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"the alphabet takes {needed} pieces")
        self.needed = needed


def learn_pieces(
    word_counts: Mapping[str, int],
    size: int,
    *,
    limit_alphabet: int,
    on_progress: Callable[[int], None] | None = None,
) -> LearntPieces:
    """Learns `size` pieces, or as many as there are to learn.

    Args:
        word_counts: how often each word occurs. Those that occur once, or hold a character outside the alphabet (the
            tokenizer makes them [UNK]), are not learnt from.
        size: pieces to learn, characters included.
        limit_alphabet: characters to keep: the most frequent, of equally frequent ones the lower code points.
        on_progress: told now and then how many pieces there are.

    Raises:
        AlphabetTooLargeError: characters alone take more than `size` pieces.
    """
    symbols, weights, starts, alphabet = _CharacterTable.of(word_counts).spell(limit_alphabet)
    if len(alphabet) > size:
        raise AlphabetTooLargeError(len(alphabet))
    merger = _Merger(symbols, weights, starts, alphabet)
    while len(merger.pieces) < size and merger.merge_most_frequent():
        if on_progress and len(merger.pieces) % _PIECES_BETWEEN_REPORTS == 0:
            on_progress(len(merger.pieces))
    pieces = [CONTINUATION * continues + text for continues, text in merger.pieces]
    return LearntPieces(tuple(pieces[: len(alphabet)]), tuple(pieces[len(alphabet) :]))


@dataclass(frozen=True, slots=True)
class _CharacterTable:
    """All words end to end: code points, which of them begin a word, and the word's count at each of them."""

    code_points: NDArray[np.uint32]
    starts: NDArray[np.bool_]
    weights: NDArray[np.int64]

    @classmethod
    def of(cls, word_counts: Mapping[str, int]) -> _CharacterTable:
        code_points = np.frombuffer("".join(word_counts).encode("utf-32-le"), np.uint32)
        lengths = np.fromiter(map(len, word_counts), np.int64, len(word_counts))
        starts = np.zeros(len(code_points), np.bool_)
        starts[np.cumsum(lengths)[:-1]] = True
        starts[:1] = True
        return cls(code_points, starts, np.repeat(np.fromiter(word_counts.values(), np.int64), lengths))

    def _most_frequent(self, limit: int) -> NDArray[np.uint32]:
        """Code points of the commonest characters, ascending."""
        characters, place = np.unique(self.code_points, return_inverse=True)
        counts = np.zeros(len(characters), np.int64)
        np.add.at(counts, place, self.weights)
        chosen = np.lexsort((characters, -counts))[:limit]
        kept: NDArray[np.uint32] = np.sort(characters[chosen])
        return kept

    def spell(
        self, limit: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_], list[tuple[bool, str]]]:
        """The words to learn from as ids of the alphabet, with their weights and starts; and the alphabet."""
        kept = self._most_frequent(limit)
        known = np.isin(self.code_points, kept)
        continuing = np.unique(self.code_points[known & ~self.starts])
        alphabet = [(False, chr(point)) for point in kept] + [(True, chr(point)) for point in continuing]
        word = np.cumsum(self.starts) - 1
        spoilt = np.zeros(int(self.starts.sum()), np.bool_)
        spoilt[word[~known]] = True
        use = (self.weights >= 2) & ~spoilt[word]
        points, starts = self.code_points[use], self.starts[use]
        beginnings, continuations = np.searchsorted(kept, points), np.searchsorted(continuing, points) + len(kept)
        return np.where(starts, beginnings, continuations).astype(np.int32), self.weights[use], starts, alphabet


class _Merger:
    """Words as chains of symbols, where each pair stands, and how often.

    A symbol stands at the position of its first character. Positions of a pair are kept from when it came up there; a
    later merge may have broken it, which shows when they are looked at.
    """

    def __init__(
        self,
        symbols: NDArray[np.int32],
        weights: NDArray[np.int64],
        starts: NDArray[np.bool_],
        alphabet: list[tuple[bool, str]],
    ) -> None:
        self.pieces = list(alphabet)
        self._end = end = len(symbols)  # stands for "no neighbour"
        self._symbols = np.append(symbols, np.int32(-1))
        self._weights = weights
        position = np.arange(end, dtype=np.int32)
        last = np.append(starts[1:], True) if end else starts
        self._next = np.append(np.where(last, np.int32(end), position + 1), np.int32(end))
        self._previous = np.append(np.where(starts, np.int32(end), position - 1), np.int32(end))
        self._counts: dict[int, int] = {}
        self._positions: dict[int, list[Positions]] = {}
        self._queue: list[tuple[int, int]] = []
        self._count_in(position)

    def merge_most_frequent(self) -> bool:
        """Merges the most frequent pair wherever it stands; False if no pair is left."""
        while self._queue:
            negative_count, pair = heapq.heappop(self._queue)
            count = self._counts.get(pair, 0)
            if count == -negative_count:
                self._merge(pair)
                return True
            if count:
                heapq.heappush(self._queue, (-count, pair))
        return False

    def _merge(self, pair: int) -> None:
        left, right = pair >> _ID_BITS, pair & _ID_MASK
        # A new piece each time: merged everywhere at once and from the left, no string comes of two pairs.
        self.pieces.append((self.pieces[left][0], self.pieces[left][1] + self.pieces[right][1]))
        first = self._find(pair, left, right)
        second = self._next[first]
        before, after = self._previous[first], self._next[second]
        touched = np.unique(np.concatenate([before, first, second]))
        touched = touched[touched < self._end]
        self._count_out(touched)
        self._symbols[first] = len(self.pieces) - 1
        self._symbols[second] = -1
        self._next[first] = after
        self._previous[after] = first
        self._previous[self._end] = self._end
        self._count_in(touched[self._symbols[touched] >= 0])

    def _find(self, pair: int, left: int, right: int) -> Positions:
        """Where the pair stands now; of overlapping ones (aaa), every other one from the left."""
        found: Positions = np.concatenate(self._positions[pair])
        found = found[(self._symbols[found] == left) & (self._symbols[self._next[found]] == right)]
        if left != right:
            return found
        found.sort()
        index = np.arange(len(found))
        begins_run = np.append(True, self._next[found[:-1]] != found[1:])
        place_in_run = index - np.maximum.accumulate(np.where(begins_run, index, 0))
        apart: Positions = found[place_in_run % 2 == 0]
        return apart

    def _count_in(self, positions: Positions) -> None:
        for pair, count, where in self._group(positions):
            total = self._counts.get(pair, 0) + count
            self._counts[pair] = total
            self._positions.setdefault(pair, []).append(where)
            heapq.heappush(self._queue, (-total, pair))

    def _count_out(self, positions: Positions) -> None:
        for pair, count, _ in self._group(positions):
            self._counts[pair] -= count
            if not self._counts[pair]:
                del self._counts[pair], self._positions[pair]

    def _group(self, positions: Positions) -> list[tuple[int, int, Positions]]:
        """The pairs that begin at these positions: (pair, count, its positions)."""
        positions = positions[self._next[positions] < self._end]
        if not len(positions):
            return []
        pairs = self._symbols[positions].astype(np.int64) << _ID_BITS | self._symbols[self._next[positions]]
        order = np.argsort(pairs, kind="stable")
        pairs, positions = pairs[order], positions[order]
        bounds = np.flatnonzero(np.append(True, pairs[1:] != pairs[:-1]))
        counts = np.add.reduceat(self._weights[positions], bounds)
        parts = np.split(positions, bounds[1:])
        return list(zip(pairs[bounds].tolist(), counts.tolist(), parts, strict=True))
