"""What stands in the input in place of the tokens to predict, and in place of which of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mlm_data.chance import random_bits
from mlm_data.config import MaskingSettings
from mlm_data.objectives import NO_PARITY
from mlm_data.vocabulary import Vocabulary

_FATES = 1 << 32


@dataclass(frozen=True, slots=True, eq=False)
class Replacements:
    """The law of what becomes of a token.

    Attributes:
        mask_id: what most become.
        random_ids: what some become, int32, each with the same chance.
        masked_below: fates of those that become `mask_id`, out of 2 ** 32.
        changed_below: fates of those that become anything else than they are.
    """

    mask_id: int
    random_ids: NDArray[np.int32]
    masked_below: int
    changed_below: int

    @classmethod
    def of(cls, settings: MaskingSettings, vocabulary: Vocabulary, parity: str) -> Self:
        """Ordinary tokens are drawn, or at par with google-research/bert any of the vocabulary."""
        every_id = np.arange(len(vocabulary), dtype=np.int32)
        return cls(
            vocabulary.mask_id,
            vocabulary.ordinary_ids if parity == NO_PARITY else every_id,
            round(settings.mask_token_prob * _FATES),
            round((settings.mask_token_prob + settings.random_token_prob) * _FATES),
        )

    def draw(
        self, originals: NDArray[np.int32], begins: NDArray[np.bool_] | None, rng: np.random.Generator
    ) -> NDArray[np.int32]:
        """Draws what stands in place of tokens.

        Args:
            originals: the tokens, int32, shape [instances, P].
            begins: those that do not share the fate of the one before, of the same shape; None: each has its own.
            rng: decides.

        Returns:
            int32, of the same shape.
        """
        fates = _draw_fates(originals.shape, begins, rng)
        replaced = np.full(originals.shape, self.mask_id, np.int32)
        others = np.flatnonzero(fates >= self.masked_below)  # so few that it pays to look at them alone
        values = originals.take(others)
        randoms = np.flatnonzero(fates.take(others) < self.changed_below)
        values[randoms] = self.random_ids.take(rng.integers(0, len(self.random_ids), len(randoms)))
        replaced.ravel()[others] = values
        return replaced


def _draw_fates(
    shape: tuple[int, ...], begins: NDArray[np.bool_] | None, rng: np.random.Generator
) -> NDArray[np.uint32]:
    """Uniform numbers below `_FATES`, the same for tokens that share their fate."""
    if begins is None:
        return random_bits(math.prod(shape), np.uint32, rng).reshape(shape)
    number = np.cumsum(begins)
    return random_bits(int(number[-1]) + 1, np.uint32, rng).take(number).reshape(shape)
