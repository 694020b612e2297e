"""What chance and the settings let one expect of a sound dataset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlm_data.config import MaskingSettings
from mlm_data.report.bins import bin_edges, sum_by_bin
from mlm_data.statistics import InstanceStatistics

DEVIATIONS = 3.2905  # either side of the mean, hold 99.9 % of a normal law
KOLMOGOROV = 1.9495  # 99.9 % point of Kolmogorov's distribution


@dataclass(frozen=True, slots=True, eq=False)
class SelectionRates:
    """How often tokens are predicted, by position; all float64 [groups of positions], or bool.

    Attributes:
        positions: the middle of each group of neighbouring positions.
        observed: share of the tokens other than [CLS] and [SEP] that are predicted.
        expected: this share if no position is preferred.
        low: what 999 of 1,000 observed shares are not below and above, together with `high`.
        high: see `low`.
    """

    positions: NDArray[np.float64]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def outside(self) -> int:
        """How many observed shares are not between `low` and `high`."""
        return int(((self.observed < self.low) | (self.observed > self.high)).sum())


def selection_rates(statistics: InstanceStatistics, settings: MaskingSettings) -> SelectionRates:
    """Selection by position, as observed and as it ought to be; positions where no token can be are left out."""
    edges = bin_edges(len(statistics.positions))
    tries = sum_by_bin(statistics.candidates, edges)
    used = tries > 0
    hoped = sum_by_bin(statistics.candidates * expected_rates(statistics, settings), edges)
    tries, expected = tries[used], hoped[used] / tries[used]
    # Tokens that are chosen together are one decision: at worst, all those of an instance in a group.
    decisions = tries if settings.masking == "token" else tries / np.diff(edges)[used]
    deviation = DEVIATIONS * np.sqrt(expected * (1 - expected) / decisions)
    return SelectionRates(
        positions=(edges[:-1] + edges[1:] - 1)[used] / 2,
        observed=sum_by_bin(statistics.positions, edges)[used] / tries,
        expected=expected,
        low=np.maximum(expected - deviation, 0),
        high=np.minimum(expected + deviation, 1),
    )


def expected_rates(statistics: InstanceStatistics, settings: MaskingSettings) -> NDArray[np.float64]:
    """Chance of a token to be predicted by position, float64 [L], if no position is preferred; 0 where none can be.

    An instance of n tokens predicts k of n less its special tokens, so that short ones, where k is rounded up, predict
    a larger share: the rate at a position is the mean over the instances that reach beyond it. How many [SEP]s an
    instance has is known on average, and where those within it lie is not; at 128 tokens this moves the result by about
    0.0001 at most.
    """
    lengths = statistics.lengths.sum(axis=0)
    special_tokens = 1 + statistics.separators / max(statistics.instances, 1)
    asked = _asked(len(lengths), settings)
    share = asked / np.maximum(np.arange(len(lengths)) - special_tokens, 1)
    # Maskers that may take fewer tokens than asked for do so everywhere alike.
    taken = statistics.predicted / max(int((lengths * asked).sum()), 1)
    rates = taken * _sum_beyond(lengths * share) / np.maximum(_sum_beyond(lengths), 1)
    rates[0] = 0
    return np.asarray(np.minimum(rates, 1), np.float64)


def expected_predictions(statistics: InstanceStatistics, settings: MaskingSettings) -> NDArray[np.int64]:
    """Instances by number of predicted tokens, int64 [P + 1], if each had as many as its length asks for."""
    lengths = statistics.lengths.sum(axis=0)
    predictions = np.zeros(len(statistics.predictions), np.int64)
    np.add.at(predictions, _asked(len(lengths), settings), lengths)
    return predictions


def distance(one: NDArray[np.int64], other: NDArray[np.int64]) -> tuple[float, float]:
    """How far apart two samples are, and how far apart chance alone puts two samples of one law.

    Args:
        one: counts by value, int64 [values], not all 0.
        other: likewise.

    Returns:
        The largest difference of their cumulated shares (Kolmogorov-Smirnov), and what this stays below in 999 of
        1,000 pairs of samples, at most 1.
    """
    total, other_total = one.sum(), other.sum()
    gap = np.abs(np.cumsum(one) / total - np.cumsum(other) / other_total).max()
    return float(gap), float(min(1.0, KOLMOGOROV * np.sqrt(1 / total + 1 / other_total)))


def _asked(number: int, settings: MaskingSettings) -> NDArray[np.int64]:
    """Tokens to predict in instances of 0, 1, ... tokens (google-research/bert, `create_masked_lm_predictions`)."""
    wanted = np.rint(settings.masked_lm_prob * np.arange(number))
    return np.asarray(np.clip(wanted, 1, settings.max_predictions_per_seq), np.int64)


def _sum_beyond(by_length: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    """For positions 0 to L - 1, the sum over lengths of at least position + 2: the last token is always [SEP]."""
    sums = np.cumsum(by_length[::-1], dtype=np.float64)[::-1]
    return np.append(sums[2:], 0.0)
