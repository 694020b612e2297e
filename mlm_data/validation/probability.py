"""How likely chance is to give what was seen; exact for counts. This is all that scipy would be needed for."""

from __future__ import annotations

import math
from statistics import NormalDist

_TINY = 1e-300  # stands for zero in a denominator
_PRECISION = 1e-14


def binomial_p_value(successes: int, trials: int, probability: float) -> float:
    """Two-sided p-value of a count: twice the smaller of its two tails, as in Clopper and Pearson (1934).

    It is also an upper bound where each trial has a chance of its own and these average to `probability`: such a sum
    has lighter tails (Hoeffding 1956). Drawing without replacement is of that kind.

    Args:
        successes: 0 to `trials`.
        trials: how often chance decided.
        probability: of a success, 0 to 1.
    """
    at_least = _binomial_tail(successes, trials, probability)
    at_most = _binomial_tail(trials - successes, trials, 1 - probability)
    return min(1.0, 2 * min(at_least, at_most))


def chi_square_p_value(statistic: float, degrees: int) -> float:
    """Chance of a chi-square variable to be at least this large; 1 where there is no degree of freedom."""
    return _upper_gamma(degrees / 2, statistic / 2) if degrees > 0 and statistic > 0 else 1.0


def normal_bound(alpha: float) -> float:
    """How many standard deviations a normal variable exceeds, to either side, with this chance."""
    return NormalDist().inv_cdf(1 - alpha / 2)


def _binomial_tail(successes: int, trials: int, probability: float) -> float:
    """Chance of at least so many successes: the incomplete beta function I_p(k, n - k + 1)."""
    if successes <= 0:
        return 1.0
    if probability <= 0 or probability >= 1:
        return float(probability >= 1)
    a, b = successes, trials - successes + 1
    if probability > (a + 1) / (a + b + 2):  # there the continued fraction converges fast for the complement only
        return 1 - _beta_fraction(b, a, 1 - probability)
    return _beta_fraction(a, b, probability)


def _beta_fraction(a: int, b: int, x: float) -> float:
    """The regularized incomplete beta function by its continued fraction (DLMF 8.17.22), by Lentz's method."""
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x) - math.log(a)
    )
    value, c, d = 1.0, 1.0, _inverse(1 - (a + b) * x / (a + 1))
    value *= d
    step, change = 1, 0.0
    while abs(change - 1) > _PRECISION:
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        change = 1.0
        for numerator in (even, odd):
            d = _inverse(1 + numerator * d)
            c = 1 + numerator * _inverse(c)
            change *= c * d
        value *= change
        step += 1
    return math.exp(log_front) * value


def _upper_gamma(a: float, x: float) -> float:
    """The regularized upper incomplete gamma function: its series below a + 1, its continued fraction above."""
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        step = a
        while term > total * _PRECISION:
            step += 1
            term *= x / step
            total += term
        return max(0.0, 1 - front * total)
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / b
    value, step_number, change = d, 1, 0.0
    while abs(change - 1) > _PRECISION:
        numerator = -step_number * (step_number - a)
        b += 2
        d = _inverse(b + numerator * d)
        c = b + numerator * _inverse(c)
        change = c * d
        value *= change
        step_number += 1
    return front * value


def _inverse(value: float) -> float:
    return 1 / (value if abs(value) > _TINY else _TINY)
