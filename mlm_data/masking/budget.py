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

from mlm_data.masking.order import Columns
from mlm_data.masking.words import Words

# Enough for three rounds at a rate of 0.15, which is where 98 or 99 % of the budget are predicted; each costs time.
_RUNS = 20


def choose_words(
    order: Columns,
    words: Words,
    budgets: NDArray[np.int32],
    slots: int,
    rng: np.random.Generator,
) -> tuple[Columns, NDArray[np.int32]]:
    """Chooses whole words of so many tokens at most, and one word at least, from each row.

    Args:
        order: columns of the candidates in random order, those of a word together, then of all other tokens, shape
            [instances, L].
        words: of the batch; none has more pieces than its row's budget.
        budgets: most tokens to predict, int32, shape [instances].
        slots: P, at least the largest budget.
        rng: draws the runs.

    Returns:
        The columns of the chosen tokens, shape [instances, P], with anything in unused slots, and how many they are,
        int32, shape [instances].
    """
    rows = np.arange(len(order))
    totals = words.candidates.sum(axis=1, dtype=np.int32)
    starts = _cut_into_runs(order, words, np.minimum(budgets, totals), totals)
    rounds = np.floor(np.true_divide(starts[1:], totals, dtype=np.float32)).astype(np.int32)
    shares = rounds / np.arange(1, len(starts), dtype=np.float32)[:, None]
    last = (shares == shares.max(axis=0)).argmax(axis=0)
    run = rng.integers(0, last + 1)
    start, end = starts[run, rows], np.minimum(starts[run + 1, rows], rounds[last, rows] * totals)
    places = (start % totals)[:, None] + np.arange(slots, dtype=np.int32)
    np.subtract(places, totals[:, None], out=places, where=places >= totals[:, None])
    places += (rows * order.shape[1]).astype(np.int32)[:, None]
    return order.ravel().take(places), end - start


def _cut_into_runs(
    order: Columns, words: Words, budgets: NDArray[np.int32], totals: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Where runs begin, in tokens from the beginning of the circle on, int32 [runs + 1, instances]; one round at least.

    A run ends where the budget does, or where the word begins that has its end beyond it.
    """
    columns, row_starts = order.ravel(), np.arange(0, order.size, order.shape[1], dtype=np.int32)
    preceding = np.zeros(order.size, order.dtype)  # pieces of the same word
    preceding[words.pieces] = words.pieces - words.heads
    starts = [np.zeros(len(order), np.int32)]
    while len(starts) <= _RUNS or (starts[-1] < totals).any():
        reach = starts[-1] + budgets
        tokens = row_starts + columns.take(row_starts + reach % totals)
        starts.append(reach - preceding.take(tokens))
    return np.array(starts)
