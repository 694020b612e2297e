"""Words in a row that are chosen together: n-grams and spans; a whole word is a unit of one."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlm_data.chance import random_bits
from mlm_data.config import MaskingSettings

SPAN_STOP_PROB = 0.2
MAX_SPAN_SIZE = 10

Chances: TypeAlias = tuple[float, ...]


def unit_sizes(settings: MaskingSettings) -> Chances:
    """The chances of units of 1, 2, ... words.

    n-grams: proportional to 1 / n (ALBERT: Lan et al. 2020, section 3.1). Spans: geometric with p = 0.2, of at most ten
    words (SpanBERT: Joshi et al. 2020, section 3.1).
    """
    largest = {"whole_word": 1, "ngram": settings.max_ngram_size, "span": MAX_SPAN_SIZE}[settings.masking]
    spans = settings.masking == "span"
    weights = [(1 - SPAN_STOP_PROB) ** size if spans else 1 / size for size in range(1, largest + 1)]
    return tuple(weight / sum(weights) for weight in weights)


def draw_units(
    words: int, more: int, chances: Chances, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    """Cuts so many words into units of random sizes.

    Args:
        words: how many words there are.
        more: how many numbers are wanted beside those of units; to draw all at once is faster.
        chances: of units of 1, 2, ... words; taken to 16 bits.
        rng: draws the sizes.

    Returns:
        The first word of each unit but the first, ascending, int64, shape [units - 1]; the last unit takes what is
        left. And uniform numbers, uint16, shape [more + units - 1]: those wanted besides, then for each of these units
        the one that has decided the size of the unit before.
    """
    mean = sum(size * chance for size, chance in enumerate(chances, 1))
    draws = random_bits(more + int(1.02 * words / mean) + 128, np.uint16, rng)
    ends = _add_up_sizes(draws[more:], chances)
    while ends[-1] < words:  # as good as never
        draws = np.concatenate([draws, random_bits(128, np.uint16, rng)])
        ends = _add_up_sizes(draws[more:], chances)
    inside = int(np.searchsorted(ends, words))
    return ends[:inside], draws[: more + inside]


def _add_up_sizes(draws: NDArray[np.uint16], chances: Chances) -> NDArray[np.int64]:
    """Where units end whose sizes these numbers decide."""
    sizes = np.ones(len(draws), np.int8)
    for bound in _bounds(chances):
        sizes += (draws >= bound).view(np.int8)
    return np.cumsum(sizes, dtype=np.int64)


@lru_cache(maxsize=4)
def _bounds(chances: Chances) -> tuple[int, ...]:
    """From which number of 16 bits on a unit has two words, from which on three, and so on."""
    return tuple(round(chance * (1 << 16)) for chance in itertools.accumulate(chances[:-1]))
