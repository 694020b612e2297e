"""Words in a row that are chosen together: n-grams and spans; a whole word is a unit of one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlm_data.chance import random_bits
from mlm_data.config import MaskingSettings
from mlm_data.masking.words import Words

SPAN_STOP_PROB = 0.2
MAX_SPAN_SIZE = 10

Jumps = NDArray[np.unsignedinteger[Any]]
Chances = NDArray[np.float64]


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


def draw_jumps(words: Words, chances: Chances, kind: type[np.unsignedinteger[Any]], rng: np.random.Generator) -> Jumps:
    """Lays units of random sizes over the words of a batch like tiles, and says by random numbers where one begins.

    The tiles lie end to end, so that every word is in one of them, and are cut at special tokens: no unit has words of
    two segments.

    Args:
        words: of the batch.
        chances: of units of 1, 2, ... words.
        kind: of the result.
        rng: decides sizes and numbers.

    Returns:
        A random number, uniform over its type, at the first token of each unit and 0 at its other tokens, shape
        [instances * L]. Their running sums are equal within a unit, and, since sums of uniform numbers that wrap around
        are uniform again, random from unit to unit.
    """
    if len(chances) == 1:
        jumps = random_bits(words.candidates.size, kind, rng)
        jumps[words.pieces] = 0
        return jumps
    candidates = words.candidates.ravel()
    is_head = candidates.copy()
    is_head[words.pieces] = False
    heads = np.flatnonzero(is_head)
    begins = heads.take(draw_cuts(len(heads), chances, rng))
    jumps = np.zeros(len(candidates), kind)
    jumps[begins] = random_bits(len(begins), kind, rng)
    jumps[~candidates] = random_bits(len(candidates) - int(np.count_nonzero(candidates)), kind, rng)
    return jumps


def draw_cuts(words: int, chances: Chances, rng: np.random.Generator) -> NDArray[np.int64]:
    """Cuts so many words into units of random sizes.

    Args:
        words: how many words there are.
        chances: of units of 1, 2, ... words; taken to 16 bits.
        rng: draws the sizes.

    Returns:
        The first word of each unit but the first, ascending, int64; the last unit takes what is left.
    """
    mean = float(chances @ np.arange(1, len(chances) + 1))
    cuts = np.cumsum(_draw_sizes(int(1.05 * words / mean) + 128, chances, rng), dtype=np.int64)
    while cuts[-1] < words:  # as good as never
        cuts = np.concatenate([cuts, cuts[-1] + np.cumsum(_draw_sizes(128, chances, rng), dtype=np.int64)])
    return cuts[: np.searchsorted(cuts, words)]


def _draw_sizes(number: int, chances: Chances, rng: np.random.Generator) -> NDArray[np.int8]:
    draws = random_bits(number, np.uint16, rng)
    sizes = np.ones(number, np.int8)
    for bound in np.rint(np.cumsum(chances)[:-1] * (1 << 16)).astype(int).tolist():
        sizes += draws >= bound
    return sizes
