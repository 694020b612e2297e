"""A random order of the words of each row that keeps those of a unit together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlm_data.chance import random_bits
from mlm_data.masking.units import Chances, draw_units
from mlm_data.masking.words import Words

_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2

Numbers: TypeAlias = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class ScoreBits:
    """What the bits of a score hold, from the lowest on; those above are random, the same for all tokens of a unit.

    Attributes:
        preceding: how many bits hold how many tokens of its word come before the token.
        column: how many hold its column.
    """

    preceding: int
    column: int

    @classmethod
    def of(cls, words: Words) -> ScoreBits:
        """As many as the words of a batch need."""
        return cls(int(words.preceding.max(initial=0)).bit_length(), (words.candidates.shape[1] - 1).bit_length())

    @property
    def next_column(self) -> np.uint32:
        """The difference of the scores of two columns, one next to the other."""
        return np.uint32(1 << self.preceding)

    def jumps(self, draws: NDArray[np.uint16]) -> Numbers:
        """From scores to those a column on, where another unit begins, for uniform numbers of 16 bits.

        They are spread over the random bits as Fibonacci hashing does (Knuth, The Art of Computer Programming, volume
        3, section 6.4): even numbers out of a small range, such as those that decide a unit's size, lie evenly there.
        """
        fixed = self.preceding + self.column
        return draws * np.uint32((round((1 << (32 - fixed)) * _GOLDEN_RATIO) | 1) << fixed) + self.next_column

    def preceding_of(self, scores: Numbers) -> Numbers:
        """How many tokens of their words come before tokens."""
        return scores & np.uint32((1 << self.preceding) - 1)

    def columns_of(self, scores: Numbers) -> Numbers:
        """The columns of tokens."""
        return scores >> np.uint32(self.preceding) & np.uint32((1 << self.column) - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """A score for each token of a batch: sorting a row shuffles its units, and of all else keeps the order.

    No two scores of a row are equal.

    Attributes:
        numbers: uint32, shape [instances, L].
        bits: what their bits hold.
    """

    numbers: Numbers
    bits: ScoreBits


def draw_scores(words: Words, chances: Chances, rng: np.random.Generator) -> Scores:
    """Lays units of random sizes over the words of a batch like tiles, and draws a number for each.

    The tiles lie end to end, so that every word is in one of them, and are cut at special tokens: no unit has words of
    two segments.

    Args:
        words: of the batch.
        chances: of units of 1, 2, ... words; taken to 16 bits.
        rng: decides sizes and numbers.
    """
    shape, bits = words.candidates.shape, ScoreBits.of(words)
    jumps = _draw_jumps(words, chances, bits, rng)
    # From the last column of a row to the first one.
    jumps.reshape(shape)[1:, 0] += np.uint32((1 << bits.column) - shape[1]) * bits.next_column
    jumps[0] = 0
    # Sums of uniform numbers that wrap around are uniform again, and so random from unit to unit. The bits of signed
    # sums are the same, and numpy is faster at them.
    scores = np.cumsum(jumps.view(np.int32), out=jumps.view(np.int32)).view(np.uint32)
    scores[words.pieces] += words.preceding
    return Scores(scores.reshape(shape), bits)


def _draw_jumps(words: Words, chances: Chances, bits: ScoreBits, rng: np.random.Generator) -> Numbers:
    """From each token's score to the next: a column on, and a random number at the first token of each unit.

    Returns:
        uint32, shape [instances * L].
    """
    if len(chances) == 1:
        jumps = bits.jumps(random_bits(words.candidates.size, np.uint16, rng))
        jumps[words.pieces] = bits.next_column
        return jumps
    # A special token counts as a word here: it is cut out of its unit anyway.
    heads = np.flatnonzero(~words.continues)
    starts, draws = draw_units(len(heads), len(words.others), chances, rng)
    jumps, random_jumps = np.full(words.candidates.size, bits.next_column), bits.jumps(draws)
    jumps[words.others] = random_jumps[: len(words.others)]
    jumps[heads.take(starts)] = random_jumps[len(words.others) :]
    return jumps
