"""What must hold of the labels of all records together: exactly where it is promised, else as far as chance allows."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from mlm_data.validation.checks import Check, Rule
from mlm_data.validation.examination import ShardReport
from mlm_data.validation.instances import Counts
from mlm_data.validation.probability import binomial_p_value
from mlm_data.validation.tally import Tally

LABEL_SHARE = Rule("label share", "half of the pairs have label 1")
LABELS_BY_SHARD = Rule("label share by shard", "half of the pairs of each shard, of all lengths together, have label 1")
LABELS_BY_A = Rule("label share by |A|", "half of the pairs have label 1, however long A is")
LABELS_BY_B = Rule("label share by |B|", "half of the pairs have label 1, however long B is")
LABELS_BY_LENGTH = Rule("label share by length", "half of the pairs have label 1, however long both are together")

_SLICES = 16


def check_label_share(tally: Tally) -> Check:
    """Whether half of all pairs have label 1."""
    zeros, ones = tally.labels.tolist()
    return LABEL_SHARE.tested(
        [binomial_p_value(ones, zeros + ones, 0.5)],
        observed=f"{ones / (zeros + ones):.3%}",
        expected="50%",
    )


def check_labels_by_shard(reports: Sequence[ShardReport], names: Sequence[str]) -> Check:
    """Whether half of the pairs of each shard have label 1, as far as chance allows."""
    p_values = [binomial_p_value(report.labels[1], sum(report.labels), 0.5) for report in reports]
    worst = int(np.argmin(p_values))
    return LABELS_BY_SHARD.tested(p_values, observed=_tell_labels(reports[worst].labels, names[worst]), expected="half")


def check_exact_halves(reports: Sequence[ShardReport], names: Sequence[str], together: Sequence[Hashable]) -> Check:
    """Whether just half of the pairs of each shard have label 1, one more or one less of an odd number.

    Args:
        reports: of the shards.
        names: of the shards.
        together: of each shard, what it shares with those of other lengths that one pass made: they have halves
            together.
    """
    totals: dict[Hashable, Counts] = {}
    for whole, report in zip(together, reports, strict=True):
        counted = np.array([*report.labels, report.uncounted])
        totals[whole] = totals[whole] + counted if whole in totals else counted
    surplus = [max(0, abs(int(ones - zeros)) - 1 - int(rest)) for zeros, ones, rest in totals.values()]
    worst = [*totals][int(np.argmax(surplus))]
    others = " and those of its other lengths" if together.count(worst) > 1 else ""
    return LABELS_BY_SHARD.decided(
        is_sound=not any(surplus),
        observed=_tell_labels(totals[worst].tolist(), names[together.index(worst)]) + others,
        expected="half, one more or one less",
    )


def _tell_labels(labels: Sequence[int], name: str) -> str:
    return f"{labels[1]:,} of {labels[0] + labels[1]:,} in {name}"


def check_labels_by_length(tally: Tally) -> Check:
    """Whether half of the pairs have label 1 whatever their length."""
    return _check_slices(LABELS_BY_LENGTH, "tokens", tally.lengths)


def check_labels_by_segments(tally: Tally) -> Iterator[Check]:
    """Whether half of the pairs have label 1 whatever the length of A, and that of B."""
    yield _check_slices(LABELS_BY_A, "tokens in A", tally.a_lengths)
    yield _check_slices(LABELS_BY_B, "tokens in B", tally.b_lengths)


def _check_slices(rule: Rule, words: str, histogram: Counts) -> Check:
    """One question a slice, slices being ranges of the length with about as many records each."""
    totals = histogram.sum(axis=0)
    before = np.cumsum(totals) - totals
    slices = (before * _SLICES // totals.sum())[totals > 0]
    lengths = np.flatnonzero(totals)
    ranges = [lengths[slices == number] for number in np.unique(slices)]
    counts = [(int(histogram[1, some].sum()), int(totals[some].sum())) for some in ranges]
    p_values = [binomial_p_value(ones, pairs, 0.5) for ones, pairs in counts]
    worst = int(np.argmin(p_values))
    ones, pairs = counts[worst]
    return rule.tested(
        p_values,
        observed=f"{ones / pairs:.3%} of those with {ranges[worst][0]} to {ranges[worst][-1]} {words}",
        expected="50%",
    )
