"""The logistic regression of the surface probe, with scikit-learn as the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mlm_data.validation.probe import Design, area_under_curve, fit_logistic


def one_hot(design: Design) -> np.ndarray:
    rows = np.arange(len(design.numbers))
    groups = np.zeros((len(rows), design.columns))
    for choice in design.choices:
        groups[rows, choice] = 1
    return np.hstack([design.numbers, groups])


@pytest.mark.parametrize("strength", [0, 0.3, 3])
def test_weights_are_those_of_scikit_learn(strength):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(1000, 3))
    numbers[:, 2] = numbers[:, 0] - 0.5 * numbers[:, 1]  # as lengths are: one follows from the others
    choices = np.minimum(rng.zipf(1.3, size=(1000, 4)), 20) - 1
    scores = strength * (numbers[:, 0] + choices[:, 1] % 3 - 1)
    labels = (rng.random(1000) < 1 / (1 + np.exp(-scores))).astype(float)

    design = Design.of(numbers, choices)
    weights = fit_logistic(design, labels)
    oracle = LogisticRegression(max_iter=1000, tol=1e-6).fit(one_hot(design)[:, 1:], labels)
    assert weights[0] == pytest.approx(oracle.intercept_[0], abs=0.02)
    assert weights[1:] == pytest.approx(oracle.coef_[0], abs=0.02)
    found, expected = design.scores(weights), oracle.decision_function(one_hot(design)[:, 1:])
    assert roc_auc_score(labels, found) == pytest.approx(roc_auc_score(labels, expected), abs=1e-4)


def test_a_design_is_its_matrix():
    rng = np.random.default_rng(0)
    design = Design.of(rng.normal(size=(50, 2)), rng.integers(0, 5, (50, 3)))
    matrix, weights, values = one_hot(design), rng.normal(size=design.width), rng.random(50)
    assert design.scores(weights) == pytest.approx(matrix @ weights)
    assert design.sums(values) == pytest.approx(values @ matrix)
    assert design.sums_of_squares(values) == pytest.approx(values @ matrix**2)
    some = slice(1, None, 2)
    assert one_hot(design.take(some)) == pytest.approx(matrix[some])


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30))
def test_the_area_under_the_curve_is_that_of_scikit_learn(rows):
    scores, labels = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows], int)
    labels[:2] = 0, 1
    assert area_under_curve(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
