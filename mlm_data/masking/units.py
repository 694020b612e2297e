"""Words in a row that are chosen together: n-grams and spans; a whole word is a unit of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlm_data.chance import random_bits
from mlm_data.config import MaskingSettings
from mlm_data.masking.words import Words

SPAN_STOP_PROB = 0.2
MAX_SPAN_SIZE = 10

Numbers: TypeAlias = NDArray[np.uint32]
Chances: TypeAlias = NDArray[np.float64]


def unit_sizes(settings: MaskingSettings) -> Chances:
    """The chances of units of 1, 2, ... words, float64.

    n-grams: proportional to 1 / n (ALBERT: Lan et al. 2020, section 3.1). Spans: geometric with p = 0.2, of at most ten
    words (SpanBERT: Joshi et al. 2020, section 3.1).
    """
    size = np.arange(
        1, {"whole_word": 1, "ngram": settings.max_ngram_size, "span": MAX_SPAN_SIZE}[settings.masking] + 1
    )
    weights = (1 - SPAN_STOP_PROB) ** size if settings.masking == "span" else 1 / size
    return np.asarray(weights / weights.sum(), np.float64)


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
    def random(self) -> np.uint32:
        """A mask of the random bits."""
        return np.uint32((1 << 32) - (1 << (self.preceding + self.column)))

    @property
    def next_column(self) -> np.uint32:
        """The difference of the scores of two columns, one next to the other."""
        return np.uint32(1 << self.preceding)

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
    scores[words.pieces] += words.preceding.astype(np.uint32)
    return Scores(scores.reshape(shape), bits)


def _draw_jumps(words: Words, chances: Chances, bits: ScoreBits, rng: np.random.Generator) -> Numbers:
    """From each token's score to the next: a column on, and a random number at the first token of each unit.

    Returns:
        uint32, shape [instances * L].
    """
    if len(chances) == 1:
        jumps = random_bits(words.candidates.size, np.uint32, rng)
        jumps &= bits.random
        jumps |= bits.next_column
        jumps[words.pieces] = bits.next_column
        return jumps
    # A special token counts as a word here: it is cut out of its unit anyway.
    is_head = np.ones(words.candidates.size, np.bool_)
    is_head[words.pieces] = False
    of_heads = np.full(len(is_head) - len(words.pieces), bits.next_column)
    cuts, draws = draw_cuts(len(of_heads), chances, rng)
    draws &= bits.random
    draws |= bits.next_column
    of_heads[cuts] = draws
    jumps = np.empty(len(is_head), np.uint32)
    jumps[is_head], jumps[words.pieces] = of_heads, bits.next_column
    draws = random_bits(len(words.others), np.uint32, rng)
    jumps[words.others] = draws & bits.random | bits.next_column
    return jumps


def draw_cuts(words: int, chances: Chances, rng: np.random.Generator) -> tuple[NDArray[np.int64], Numbers]:
    """Cuts so many words into units of random sizes.

    Args:
        words: how many words there are.
        chances: of units of 1, 2, ... words; taken to 16 bits.
        rng: draws the sizes.

    Returns:
        The first word of each unit but the first, ascending, int64; the last unit takes what is left. And for each a
        uniform number, uint32: its lower half has decided the size of the unit before, its upper half nothing.
    """
    mean = float(chances @ np.arange(1, len(chances) + 1))
    draws = random_bits(int(1.02 * words / mean) + 128, np.uint32, rng)
    cuts = np.cumsum(_sizes(draws.astype(np.uint16), chances), dtype=np.int64)
    while cuts[-1] < words:  # as good as never
        more = random_bits(128, np.uint32, rng)
        draws = np.concatenate([draws, more])
        cuts = np.concatenate([cuts, cuts[-1] + np.cumsum(_sizes(more.astype(np.uint16), chances), dtype=np.int64)])
    inside = np.searchsorted(cuts, words)
    return cuts[:inside], draws[:inside]


def _sizes(draws: NDArray[np.uint16], chances: Chances) -> NDArray[np.int8]:
    sizes = np.ones(len(draws), np.int8)
    for bound in np.rint(np.cumsum(chances)[:-1] * (1 << 16)).astype(int).tolist():
        sizes += (draws >= bound).view(np.int8)
    return sizes
