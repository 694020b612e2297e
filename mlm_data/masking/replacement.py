"""What stands in the input in place of the tokens to predict."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlm_data.config import MaskingSettings
from mlm_data.vocabulary import Vocabulary


def replace_tokens(
    originals: NDArray[np.int32],
    begins: NDArray[np.bool_] | None,
    settings: MaskingSettings,
    vocabulary: Vocabulary,
    rng: np.random.Generator,
) -> NDArray[np.int32]:
    """Draws for each token whether it becomes [MASK], an ordinary token drawn uniformly, or stays as it is.

    Args:
        originals: ids, shape [instances, P].
        begins: tokens that do not share the fate of the one before; None: every token has its own.
        settings: the shares.
        vocabulary: gives [MASK] and the ordinary tokens.
        rng: decides.

    Returns:
        Ids, int32, shape [instances, P].
    """
    fate = _draw_fates(originals.shape, begins, rng)
    randoms = vocabulary.ordinary_ids[rng.integers(0, len(vocabulary.ordinary_ids), originals.shape)]
    kept_or_random = np.where(fate < settings.mask_token_prob + settings.random_token_prob, randoms, originals)
    return np.where(fate < settings.mask_token_prob, np.int32(vocabulary.mask_id), kept_or_random)


def _draw_fates(
    shape: tuple[int, ...], begins: NDArray[np.bool_] | None, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Uniform numbers of at least 0 and below 1."""
    if begins is None:
        return rng.random(shape, dtype=np.float32)
    number = np.cumsum(begins)
    return rng.random(int(number[-1]) + 1, dtype=np.float32).take(number).reshape(shape)
