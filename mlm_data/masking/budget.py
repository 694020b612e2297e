"""Words within a budget of tokens, each with the same chance, however many pieces it has.

To fill a budget with words in random order favours short ones: when little of it is left, only they fit. So the words
of a row are laid in random order on a circle, which is cut into runs: each takes as many words as the budget holds, the
next goes on where it ended, round and round. After some rounds one of the runs is drawn. In c rounds every word is in
exactly c of the q runs, so that its chance is c / q, whatever its length and wherever it stands.

This costs what runs leave of the budget: room in which the next word does not fit, and the end of the last run, which
stops where the last round does. The number of rounds is the one that should leave least, judged by how many tokens the
runs of a row take on average: it may depend on their order, since in c rounds all words have the same chance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlm_data.masking.scores import Numbers, ScoreBits, Scores
from mlm_data.masking.words import Words

# After three rounds 98 or 99 % of the budget are predicted. At a rate of 0.15 they are twenty runs; each costs time.
_ROUNDS, RUNS = 3, 20


def choose_words(
    scores: Scores, words: Words, budgets: NDArray[np.int32], slots: int, rng: np.random.Generator
) -> tuple[Numbers, NDArray[np.int32]]:
    """Chooses whole words of so many tokens at most, and one word at least, from each row.

    Args:
        scores: of `draw_scores`, which put words into random order. Each row is sorted in place.
        words: of the batch; none has more pieces than its row's budget.
        budgets: most tokens to predict, int32, shape [instances].
        slots: P, at least the largest budget.
        rng: draws the runs.

    Returns:
        The scores of the chosen tokens in the order of the circle, uint32, shape [instances, P], anything in slots that
        are not used, and how many they are, int32, shape [instances].
    """
    circle = scores.numbers
    circle.ravel()[words.others] = np.iinfo(np.uint32).max
    circle.sort(axis=1)
    totals = words.totals.astype(np.uint32)
    starts = _cut_into_runs(circle, scores.bits, np.minimum(budgets.astype(np.uint32), totals), totals)
    start, end = _draw_runs(starts, totals, rng)
    return _take_runs(circle, start % totals, totals, slots), (end - start).astype(np.int32)


def _cut_into_runs(
    circle: Numbers, bits: ScoreBits, budgets: NDArray[np.uint32], totals: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """Where runs begin, in tokens from the beginning of the circle on, shape [runs + 1, instances]; one round at least.

    A run ends where the budget does, or where the word begins that has its end beyond it.
    """
    row_starts, preceding = np.arange(0, circle.size, circle.shape[1], dtype=np.uint32), bits.preceding_of(circle)
    starts = [np.zeros(len(circle), np.uint32)]
    place = starts[0].copy()  # where on the circle the last one ends: kept along, since to divide costs more
    while len(starts) <= RUNS or (starts[-1] < totals).any():
        place += budgets
        _go_round(place, totals)
        left = preceding.take(row_starts + place)
        place -= left
        starts.append(starts[-1] + (budgets - left))
    return np.array(starts)


def _draw_runs(
    starts: NDArray[np.uint32], totals: NDArray[np.uint32], rng: np.random.Generator
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Draws a run of each row out of some rounds; where it begins and ends, as `starts`."""
    end = _end_of_rounds(starts, totals)
    runs = np.add.reduce(starts < end, axis=0, dtype=np.uint16)
    drawn = (rng.random(len(totals)) * runs).astype(np.int64) * len(totals) + np.arange(len(totals))
    return starts.take(drawn), np.minimum(starts.take(drawn + len(totals)), end)


def _end_of_rounds(starts: NDArray[np.uint32], totals: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Where the rounds end that should leave least, if all runs take what they take on average; shape [instances]."""
    pace = (len(starts) - 1) / starts[-1] * totals  # runs that a round takes, on average
    end, fewest = totals, np.ceil(pace)
    for rounds in range(2, _ROUNDS + 1):
        ends, runs = totals * np.uint32(rounds), np.ceil(rounds * pace) / rounds
        better = (runs < fewest) & (ends <= starts[-1])
        end, fewest = np.where(better, ends, end), np.where(better, runs, fewest)
    return end


def _take_runs(circle: Numbers, start: NDArray[np.uint32], totals: NDArray[np.uint32], slots: int) -> Numbers:
    """So many tokens of the circle from each row's place on, shape [instances, slots]."""
    row_starts = np.arange(0, circle.size, circle.shape[1], dtype=np.uint32)[:, None]
    places = np.add(start[:, None], np.arange(slots, dtype=np.uint32), dtype=np.uint32)
    _go_round(places, totals[:, None])
    places += row_starts
    return circle.take(places, mode="clip")  # slots may be more than the batch has tokens left


def _go_round(places: NDArray[np.uint32], totals: NDArray[np.uint32]) -> None:
    """Takes places past the end of the circle back by a round; of others the difference wraps around and is larger."""
    np.minimum(places, places - totals, out=places)
