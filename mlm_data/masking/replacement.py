"""What stands in the input in place of the tokens to predict, and in place of which of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlm_data.objectives import NO_PARITY
from mlm_data.vocabulary import Vocabulary


def draw_fates(
    shape: tuple[int, ...], begins: NDArray[np.bool_] | None, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draws for each token a number that decides whether it becomes [MASK], a random token, or stays as it is.

    Args:
        shape: [instances, P].
        begins: tokens that do not share the fate of the one before; None: every token has its own.
        rng: decides.

    Returns:
        Uniform numbers of at least 0 and below 1.
    """
    if begins is None:
        return rng.random(shape, dtype=np.float32)
    number = np.cumsum(begins)
    return rng.random(int(number[-1]) + 1, dtype=np.float32).take(number).reshape(shape)


def draw_random_tokens(
    shape: tuple[int, ...], vocabulary: Vocabulary, parity: str, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Draws ids uniformly: ordinary ones, or at par with google-research/bert any of the vocabulary.

    Returns:
        int32, of the given shape.
    """
    if parity == NO_PARITY:
        return vocabulary.ordinary_ids[rng.integers(0, len(vocabulary.ordinary_ids), shape)]
    return rng.integers(0, len(vocabulary), shape, dtype=np.int32)
