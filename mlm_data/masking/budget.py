"""Words within a budget of tokens, each with the same chance, however many pieces it has.

To fill a budget with words in random order favours short ones: when little of it is left, only they fit. So the words
of a row are laid in random order on a circle, which is cut into runs: each takes as many words as the budget holds, the
next goes on where it ended, round and round. After some rounds one of the runs is drawn. In c rounds every word is in
exactly c of the q runs, so that its chance is c / q, whatever its length and wherever it stands.

This costs what runs leave of the budget: room in which the next word does not fit, and the end of the last run, which
stops where the last round does. The number of rounds is the one that leaves least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlm_data.masking.units import Numbers, column_mask
from mlm_data.masking.words import Words

# After three rounds 98 or 99 % of the budget are predicted. At a rate of 0.15 they are twenty runs; each costs time.
_ROUNDS, RUNS = 3, 20


def choose_words(
    scores: Numbers, words: Words, budgets: NDArray[np.int32], rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Chooses whole words of so many tokens at most, and one word at least, from each row.

    Args:
        scores: of `draw_scores`, which put words into random order, shape [instances, L].
        words: of the batch; none has more pieces than its row's budget.
        budgets: most tokens to predict, int32, shape [instances].
        rng: draws the runs.

    Returns:
        Which tokens are chosen, bool, shape [instances, L], and how many they are, int32, shape [instances].
    """
    circle = scores.copy()
    circle.ravel()[words.others] = np.iinfo(np.uint32).max
    circle.sort(axis=1)
    totals = words.totals.astype(np.uint32)
    starts = _cut_into_runs(circle, words, np.minimum(budgets.astype(np.uint32), totals), totals)
    start, end = _draw_runs(starts, totals, rng)
    # What lies between two places of the circle has its score between theirs, beyond the highest score, too.
    rows = np.arange(len(scores))
    first, last = circle[rows, start % totals, None], circle[rows, (end - 1) % totals, None]
    chosen: NDArray[np.bool_] = np.subtract(scores, first, out=circle) <= last - first
    chosen &= words.candidates
    return chosen, (end - start).astype(np.int32)


def _cut_into_runs(
    circle: Numbers, words: Words, budgets: NDArray[np.uint32], totals: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """Where runs begin, in tokens from the beginning of the circle on, shape [runs + 1, instances]; one round at least.

    A run ends where the budget does, or where the word begins that has its end beyond it.
    """
    mask = column_mask(circle.shape[1])
    row_starts = np.arange(0, circle.size, circle.shape[1], dtype=np.uint32)
    preceding = np.zeros(circle.size, np.uint32)
    preceding[words.pieces] = words.preceding
    starts = [np.zeros(len(circle), np.uint32)]
    while len(starts) <= RUNS or (starts[-1] < totals).any():
        reach = starts[-1] + budgets
        tokens = row_starts + (circle.take(row_starts + reach % totals) & mask)
        starts.append(reach - preceding.take(tokens))
    return np.array(starts)


def _draw_runs(
    starts: NDArray[np.uint32], totals: NDArray[np.uint32], rng: np.random.Generator
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Draws a run of each row out of the rounds that leave least; where it begins and ends, as `starts`."""
    rounds = np.arange(1, _ROUNDS + 1)[:, None]
    ends = totals * rounds.astype(np.uint32)
    runs = np.add.reduce(starts[:, None] < ends, axis=0, dtype=np.uint16)
    shares = np.where(starts[-1] >= ends, rounds / runs, 0)
    best, rows = shares.argmax(axis=0), np.arange(len(totals))
    run = (rng.random(len(totals)) * runs[best, rows]).astype(np.int64)
    return starts[run, rows], np.minimum(starts[run + 1, rows], ends[best, rows])
