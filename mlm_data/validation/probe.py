"""Whether labels show on the surface: a logistic regression on lengths and boundary pieces tries to guess them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlm_data.validation.checks import ALPHA, Check, Rule
from mlm_data.validation.instances import Counts, Instances
from mlm_data.validation.probability import normal_bound

SURFACE = Rule("surface probe", "lengths and boundary pieces do not tell the label")
SAMPLE_AT_MOST = 100_000

_TOLERANCE = 0.02  # of the area under the ROC curve
_FREQUENT_PIECES = 255  # by place; the rest counts as one
_PAIRS_AT_LEAST = 100
_PENALTY = 1.0
# Enough for an area under the curve that does not change in its fourth digit.
_NEWTON_STEPS, _GRADIENT_STEPS = 20, 30
_GRADIENT_LEFT, _RESIDUAL_LEFT = 1e-5, 0.1

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PairSample:
    """The surface of some pairs.

    Attributes:
        sizes: tokens of A and of B, int32 [pairs, 2].
        pieces: the first and last id of A and of B, int32 [pairs, 4].
        labels: int8 [pairs].
    """

    sizes: NDArray[np.int32]
    pieces: NDArray[np.int32]
    labels: NDArray[np.int8]


def sample_pairs(records: Instances, rows: Counts) -> PairSample:
    """The surface of some records, which break no structural rule."""
    a_lengths, lengths = records.a_lengths[rows], records.lengths[rows]
    ends = np.stack([np.ones_like(a_lengths), a_lengths - 2, a_lengths, lengths - 2], axis=1)
    return PairSample(
        sizes=np.stack([a_lengths - 2, lengths - a_lengths - 1], axis=1).astype(np.int32),
        pieces=records.restored[rows[:, None], ends].astype(np.int32),
        labels=records.labels[rows].astype(np.int8),
    )


def check_surface(samples: Sequence[PairSample]) -> Check:
    """Learns from every second pair, and guesses the others."""
    sizes, pieces, labels = (
        np.concatenate([getattr(sample, name) for sample in samples])[:SAMPLE_AT_MOST]
        for name in ("sizes", "pieces", "labels")
    )
    tested, learned = slice(0, None, 2), slice(1, None, 2)
    ones, zeros = int(labels[tested].sum()), int((1 - labels[tested]).sum())
    if min(ones, zeros) < _PAIRS_AT_LEAST:
        reason = f"{len(labels)} pairs, {ones} and {zeros} to be guessed; needs {_PAIRS_AT_LEAST} of each label"
        return SURFACE.not_made(reason)
    design = Design.of(_describe_sizes(sizes), _name_frequent(pieces, pieces[learned]))
    weights = fit_logistic(design.take(learned), labels[learned].astype(np.float64))
    area = area_under_curve(design.take(tested).scores(weights), labels[tested])
    bound = _TOLERANCE + normal_bound(ALPHA) * np.sqrt((ones + zeros + 1) / (12 * ones * zeros))
    return SURFACE.decided(
        is_sound=abs(area - 0.5) <= bound,
        observed=f"AUC {area:.4f}",
        expected=f"0.5 ± {bound:.4f}",
        detail=f"{len(labels):,} pairs, half of them to learn from; 0.02 and what chance may do",
    )


def _describe_sizes(sizes: NDArray[np.int32]) -> Floats:
    """What lengths may tell, standardized: [pairs, features]."""
    a_size, b_size = sizes.T.astype(np.float64)
    total = a_size + b_size
    features = [a_size, b_size, total, np.abs(a_size - b_size), a_size * b_size, total == total.max()]
    columns = np.stack(features, axis=1).astype(np.float64)
    spread = columns.std(axis=0)
    standard: Floats = (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return standard


def _name_frequent(pieces: NDArray[np.int32], learned: NDArray[np.int32]) -> Counts:
    """Each piece's rank among the frequent ones of its place, those not frequent as one more: [pairs, places]."""
    ranks = np.empty(pieces.shape, np.int64)
    for place in range(pieces.shape[1]):
        found, counts = np.unique(learned[:, place], return_counts=True)
        frequent = np.sort(found[np.argsort(-counts, kind="stable")[:_FREQUENT_PIECES]])
        at = np.minimum(np.searchsorted(frequent, pieces[:, place]), len(frequent) - 1)
        ranks[:, place] = np.where(frequent[at] == pieces[:, place], at, len(frequent))
    return ranks


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A design matrix: some columns of numbers, the first a constant, and some groups of which one column is 1.

    Attributes:
        numbers: float64 [rows, numbers].
        choices: of each group, which of its columns is 1, as a number among all columns of all groups,
            int64 [groups, rows].
        columns: of all groups together.
    """

    numbers: Floats
    choices: Counts
    columns: int

    @classmethod
    def of(cls, numbers: Floats, choices: Counts) -> Design:
        """Of columns of numbers and, for each group, the column that is 1 (both [rows, ...])."""
        sizes = choices.max(axis=0, initial=0) + 1
        starts = np.cumsum(sizes) - sizes
        constant = np.ones((len(numbers), 1))
        return cls(np.hstack([constant, numbers]), np.ascontiguousarray((choices + starts).T), int(sizes.sum()))

    def take(self, rows: slice) -> Design:
        """Some of the rows."""
        return Design(self.numbers[rows], self.choices[:, rows], self.columns)

    @property
    def width(self) -> int:
        """All columns."""
        return int(self.numbers.shape[1]) + self.columns

    def scores(self, weights: Floats) -> Floats:
        """The matrix times a weight for each column, [rows]."""
        of_choices = weights[self.numbers.shape[1] :]
        scores: Floats = self.numbers @ weights[: self.numbers.shape[1]]
        for choice in self.choices:
            scores += of_choices[choice]
        return scores

    def sums(self, values: Floats) -> Floats:
        """The transposed matrix times a value for each row, [columns]."""
        return np.concatenate([values @ self.numbers, self._sums_of_choices(values)])

    def sums_of_squares(self, values: Floats) -> Floats:
        """As `sums`, of the matrix whose cells are squared."""
        return np.concatenate([values @ self.numbers**2, self._sums_of_choices(values)])

    def _sums_of_choices(self, values: Floats) -> Floats:
        found = np.zeros(self.columns)
        for choice in self.choices:
            found += np.bincount(choice, values, minlength=self.columns)
        return found


def fit_logistic(design: Design, labels: Floats) -> Floats:
    """The weights of a logistic regression, with a penalty of half their squares but for the constant's.

    Newton's method, each step found by conjugate gradients.

    Args:
        design: the features.
        labels: 0 or 1, float64 [rows].
    """
    penalty = np.full(design.width, _PENALTY)
    penalty[0] = 0
    weights = np.zeros(design.width)
    for _ in range(_NEWTON_STEPS):
        chances = _logistic(design.scores(weights))
        gradient = design.sums(chances - labels) + penalty * weights
        if np.abs(gradient).max() < _GRADIENT_LEFT * len(labels):
            break
        weights = weights - _solve(design, chances * (1 - chances), penalty, gradient)
    return weights


def _solve(design: Design, curvature: Floats, penalty: Floats, target: Floats) -> Floats:
    """Nearly x of (X' diag(curvature) X + diag(penalty)) x = target, by conjugate gradients, columns to scale."""
    scale = design.sums_of_squares(curvature) + penalty
    solution, residual = np.zeros_like(target), target
    direction = residual / scale
    size = residual @ direction
    goal = _RESIDUAL_LEFT**2 * size
    for _ in range(_GRADIENT_STEPS):
        if size <= goal:
            break
        image = design.sums(curvature * design.scores(direction)) + penalty * direction
        step = size / (direction @ image)
        solution = solution + step * direction
        residual = residual - step * image
        size, before = residual @ (residual / scale), size
        direction = residual / scale + size / before * direction
    return solution


def _logistic(scores: Floats) -> Floats:
    return 0.5 + 0.5 * np.tanh(scores / 2)  # no overflow


def area_under_curve(scores: Floats, labels: NDArray[np.integer]) -> float:
    """Chance that a row of label 1 has the higher score than one of label 0, ties counting half."""
    _, ranks, counts = np.unique(scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2  # the mean rank of equal scores
    ones = int(labels.sum())
    above = middle[ranks][labels == 1].sum() - ones * (ones + 1) / 2
    return float(above / (ones * (len(labels) - ones)))
