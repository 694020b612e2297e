"""Single tokens, so many of each row that every set of so many has the same chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlm_data.chance import random_bits


def choose_tokens(
    candidates: NDArray[np.bool_], budgets: NDArray[np.int32], rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Chooses the tokens with the lowest random scores of each row.

    Scores may be equal, which matters where one is chosen and the other not: then all is drawn again. It happens once
    in ten thousand batches, and to each token as likely as to any other: so every set of so many tokens keeps exactly
    the same chance.

    Args:
        candidates: bool, shape [instances, L], less than L of a row.
        budgets: how many to choose, int32, shape [instances]; of rows with fewer candidates all are chosen.
        rng: draws the scores.

    Returns:
        Which tokens are chosen, bool, shape [instances, L], and how many they are, int32, shape [instances].
    """
    counts = np.minimum(budgets, candidates.sum(axis=1, dtype=np.int32))
    wanted = int(counts.sum())
    while True:
        scores = random_bits(candidates.size, np.uint32, rng).reshape(candidates.shape)
        np.copyto(scores, np.iinfo(np.uint32).max, where=~candidates)
        first_left = np.take_along_axis(np.sort(scores, axis=1), counts[:, None], axis=1)
        chosen = scores < first_left
        if np.count_nonzero(chosen) == wanted:
            return chosen, counts
