"""Whether the same text is masked anew each time it occurs, as the passes over a corpus promise.

Where a text occurs twice, each token predicted the first time has the chance k / c to be predicted the second time, k
being the predictions of the later record and c its candidates. Occurrences are found by the tokens around: no corpus is
needed, and an occurrence that is missed, or taken for another, makes the check weaker but never wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlm_data.validation.checks import Check, Rule
from mlm_data.validation.instances import Counts, Flags, Instances
from mlm_data.validation.probability import binomial_p_value
from mlm_data.validation.strategies import TOLERANCE_OF_WORDS, is_exact, tokens_together

OVERLAP = Rule("masks of two passes", "where a text occurs again, its masks are drawn anew")

_BEFORE, _AFTER = 3, 4  # tokens around one that tell it

_ANY = np.random.Generator(np.random.PCG64(0))  # whatever is odd and has many bits will do
_MULTIPLIERS = _ANY.integers(2**63, size=_BEFORE + 1 + _AFTER, dtype=np.uint64) * 2 + 1
_SHORT_MULTIPLIERS = _ANY.integers(2**31, size=2, dtype=np.uint32) * 2 + 1


@dataclass(frozen=True, slots=True, eq=False)
class TextSample:
    """Tokens that may be predicted, chosen by the text around, so that other occurrences are chosen too.

    Attributes:
        keys: hash of the text around, uint64 [tokens].
        places: of the record, as `number_places` gives it, int64 [tokens].
        predicted: whether the token is, bool [tokens].
        chances: k / c of the record, float32 [tokens].
    """

    keys: NDArray[np.uint64]
    places: Counts
    predicted: Flags
    chances: NDArray[np.float32]


def sample_texts(records: Instances, places: Counts, share: float) -> TextSample:
    """Takes about this share of the tokens.

    Args:
        records: that break no structural rule.
        places: of each.
        share: 0 to 1; has to be the same for all of a dataset.
    """
    ids = records.restored.astype(np.uint32, copy=False)
    here = slice(_BEFORE, max(_BEFORE, records.width - _AFTER))
    after = slice(here.start + 1, here.stop + 1)
    mixed = ids[:, here] * _SHORT_MULTIPLIERS[0] + ids[:, after] * _SHORT_MULTIPLIERS[1]
    is_chosen = (mixed < np.uint32(share * (2**32 - 1))) & records.is_candidate[:, here]
    rows, columns = np.divmod(np.flatnonzero(is_chosen), is_chosen.shape[1])
    columns += _BEFORE
    around = ids[rows[:, None], columns[:, None] + np.arange(-_BEFORE, _AFTER + 1)].astype(np.uint64)
    chances = records.counts / np.maximum(records.candidates, 1)
    return TextSample(
        keys=(around * _MULTIPLIERS).sum(axis=1, dtype=np.uint64),
        places=places[rows],
        predicted=records.is_predicted[rows, columns],
        chances=chances[rows].astype(np.float32),
    )


def check_overlap(samples: Sequence[TextSample], masking: str) -> Check:
    """Compares each sampled token with its next occurrence.

    Args:
        samples: of all records, in their order.
        masking: see `MaskingSettings`.
    """
    keys, places, predicted, chances = (
        np.concatenate([getattr(sample, name) for sample in samples])
        for name in ("keys", "places", "predicted", "chances")
    )
    order = _sort_stably(keys)
    first, second = order[:-1], order[1:]
    is_pair = (keys[first] == keys[second]) & (places[first] != places[second]) & predicted[first]
    again = second[is_pair]
    if not len(again):
        return OVERLAP.not_made("no predicted token of one record was found in another")
    both, expected = int(predicted[again].sum()), float(chances[again].mean(dtype=np.float64))
    tolerance = 0.0 if is_exact(masking) else TOLERANCE_OF_WORDS * expected
    together = tokens_together(masking)
    nearest = min(max(both / len(again), expected - tolerance), expected + tolerance)
    return OVERLAP.tested(
        [binomial_p_value(both // together, len(again) // together, nearest)],
        observed=f"{both / len(again):.3%} of {len(again):,} tokens predicted before",
        expected=f"{expected:.3%}" + (f" ± {tolerance:.3%}" if tolerance else ""),
    )


def _sort_stably(keys: NDArray[np.uint64]) -> Counts:
    """The order of the keys by all bits but those that number them; equal ones stay in their order.

    Sorting numbers is many times faster than sorting indices; so the index takes the place of the lowest bits.
    """
    bits = np.uint64(len(keys).bit_length())
    mixed = keys >> bits << bits | np.arange(len(keys), dtype=np.uint64)
    mixed.sort()
    order: Counts = (mixed & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
    return order
