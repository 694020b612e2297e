"""Tails of distributions, with scipy as the oracle."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlm_data.validation.probability import binomial_p_value, chi_square_p_value, normal_bound

deviations = st.floats(-8, 8)


@given(st.floats(0, 8.5), st.floats(1e-4, 1 - 1e-4) | st.sampled_from([0.1, 0.5, 0.8]), deviations)
def test_binomial_tails_are_those_of_scipy(magnitude, probability, deviation):
    trials = int(10**magnitude)
    spread = math.sqrt(trials * probability * (1 - probability))
    successes = min(trials, max(0, round(trials * probability + deviation * spread)))
    law = stats.binom(trials, probability)
    expected = min(1.0, 2 * min(law.cdf(successes), law.sf(successes - 1)))
    assert binomial_p_value(successes, trials, probability) == pytest.approx(expected, rel=1e-5)


@given(st.floats(0, 5), deviations)
def test_chi_square_tails_are_those_of_scipy(magnitude, deviation):
    degrees = int(10**magnitude)
    statistic = max(1e-9, degrees + deviation * math.sqrt(2 * degrees))
    assert chi_square_p_value(statistic, degrees) == pytest.approx(stats.chi2.sf(statistic, degrees), rel=1e-7)


@pytest.mark.parametrize(
    ("successes", "trials", "probability", "p_value"),
    [(0, 0, 0.5, 1), (0, 10, 0.0, 1), (1, 10, 0.0, 0), (10, 10, 1.0, 1), (9, 10, 1.0, 0), (10, 10, 0.5, 2 / 2**10)],
)
def test_where_chance_has_no_say(successes, trials, probability, p_value):
    assert binomial_p_value(successes, trials, probability) == pytest.approx(p_value)


def test_no_degree_of_freedom_proves_nothing():
    assert chi_square_p_value(3.0, 0) == chi_square_p_value(0.0, 3) == 1


def test_the_normal_bound_is_that_of_scipy():
    assert normal_bound(1e-6) == pytest.approx(stats.norm.isf(0.5e-6))
