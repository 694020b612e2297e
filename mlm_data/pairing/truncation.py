"""Pairs made to fit."""

from __future__ import annotations

import dataclasses

import numpy as np

from mlm_data.pairing.corpus import Indices
from mlm_data.records import Segments


def truncate(pairs: Segments, max_tokens: int, a_half: int | Indices, rng: np.random.Generator) -> Segments:
    """Shortens pairs to `max_tokens`, as google-research/bert's `truncate_seq_pair` does, without its loop.

    That script drops one token after another from the longer segment, each from the front or the back with equal
    chance: the final lengths follow by arithmetic, the share cut off in front is binomial.

    Args:
        pairs: of any length.
        max_tokens: |A| + |B| at most.
        a_half: what is left of A where both are longer than half, of all or for each pair. Where that script takes
            from B first, it is the larger half.
        rng: decides which ends are cut.
    """
    a_lengths, b_lengths = pairs.a_end - pairs.a_start, pairs.b_end - pairs.b_start
    a_kept = np.minimum(a_lengths, np.maximum(a_half, max_tokens - b_lengths))
    b_kept = np.minimum(b_lengths, max_tokens - a_kept)
    a_start = pairs.a_start + rng.binomial(a_lengths - a_kept, 0.5)
    b_start = pairs.b_start + rng.binomial(b_lengths - b_kept, 0.5)
    return dataclasses.replace(pairs, a_start=a_start, a_end=a_start + a_kept, b_start=b_start, b_end=b_start + b_kept)
