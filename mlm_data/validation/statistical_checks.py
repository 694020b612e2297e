"""What must hold of all predictions together, as far as chance allows: from a tally to checks, each with alpha 1e-6.

Where a check asks several questions, each is asked at its share of alpha (Bonferroni), so that the check as a whole
calls sound data unsound once in a million.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlm_data.validation.checks import Check, Rule
from mlm_data.validation.instances import Counts
from mlm_data.validation.places import describe_place
from mlm_data.validation.probability import binomial_p_value, chi_square_p_value
from mlm_data.validation.strategies import TOLERANCE_OF_WORDS, is_exact, tokens_together
from mlm_data.validation.tally import PiecePlace, Selection, Tally

NUMBER = Rule("number of predictions", "each record has as many predictions as its length asks for")
REPLACEMENTS = Rule("replacements", "of the predicted tokens, so many are [MASK] / another token / as they were")
RANDOM_TOKENS = Rule("spread of random tokens", "random replacements are uniform over the tokens they are drawn from")
POSITIONS = Rule("selection by position", "predictions are uniform over the positions that hold text")
ACROSS = Rule("words across [SEP]", "the first word of B is predicted whether or not the last one of A is")
WORD_SIZES = Rule("selection by word size", "predictions do not depend on how many pieces a word has")

_PIECES_OF_LONG_WORDS = 8  # only few words have more
_TOKENS_PER_CELL = 25  # below, the law of chi-square is too far from the truth in its tail


def check_counts(
    tally: Tally, names: Sequence[str], slots_by_length: Mapping[int, int], prob: float | None, masking: str
) -> Check:
    """Whether as many tokens are predicted as an instance's length asks for.

    Args:
        tally: of all records.
        names: of the shards.
        slots_by_length: P by each length that records are padded to, ascending.
        prob: `masked_lm_prob`; None: the one that explains most records.
        masking: see `MaskingSettings`; where words stay whole, some of the number may be left.
    """
    counts, lengths = tally.counts, np.arange(len(tally.counts))
    padded_to = np.searchsorted([*slots_by_length], lengths)
    slots = np.array([*slots_by_length.values()])[padded_to]
    found = prob or max(_PROBS, key=lambda one: int(counts[lengths, _wanted(slots, one)].sum()))
    predictions, wanted = np.arange(counts.shape[1]), _wanted(slots, found)[:, None]
    exactly = is_exact(masking)
    is_wrong = (predictions != wanted if exactly else (predictions > wanted) | (predictions == 0)) & (counts > 0)
    wrong = int(counts[is_wrong].sum())
    most = str(slots[-1]) if len(slots_by_length) == 1 else "P"
    formula = f"min({most}, max(1, round({found:g} n)))"
    first = f"first: {describe_place(int(tally.first_places[is_wrong].min()), names)}" if wrong else ""
    return NUMBER.decided(
        is_sound=not wrong,
        observed=f"{wrong:,} of {tally.records:,} records have another" if wrong else f"{tally.records:,} records",
        expected=("" if exactly else "at most ") + formula,
        detail=first if prob else f"{found:g} is what most records have{'; ' if first else ''}{first}",
    )


# The most usual first: of those that explain as many records, it is taken.
_PROBS = sorted((number / 200 for number in range(1, 101)), key=lambda prob: abs(prob - 0.15))


def _wanted(slots: Counts, prob: float) -> Counts:
    """How many predictions each length asks for, halves rounded to even as Python does, [L + 1].

    Args:
        slots: P, by length.
        prob: share of the tokens to predict.
    """
    wanted: Counts = np.clip(np.rint(prob * np.arange(len(slots))), 1, slots).astype(np.int64)
    return wanted


def check_replacements(
    tally: Tally, masking: str, shares: tuple[float, float], random_ids: NDArray[np.integer], mask_id: int
) -> Check:
    """Whether predicted tokens became [MASK], another token, or stayed, in the shares promised.

    Args:
        tally: of all records.
        masking: see `MaskingSettings`.
        shares: of the predicted tokens that became [MASK], and another token.
        random_ids: from which that is drawn, with equal chance.
        mask_id: the id of [MASK].
    """
    # A random token may be the very one it replaces, or even [MASK].
    each = shares[1] / len(random_ids)
    masks = each * np.count_nonzero(random_ids == mask_id)
    expected = (shares[0] + masks, shares[1] - masks - each, 1 - sum(shares) + each)
    together, total = tokens_together(masking), tally.predicted
    p_values = [
        binomial_p_value(int(count) // together, total // together, share)
        for count, share in zip(tally.replacements, expected, strict=True)
    ]
    return REPLACEMENTS.tested(
        p_values,
        observed=_percentages(tally.replacements / total),
        expected=_percentages(expected),
    )


def check_random_tokens(tally: Tally, random_ids: NDArray[np.integer]) -> Check:
    """Whether random replacements are uniform over the ids they are drawn from; one that is [MASK] does not show."""
    found = tally.random_ids[random_ids]
    # A token is not seen as random where it stood before.
    chances = tally.predicted - tally.original_ids[random_ids]
    expected = chances * (found.sum() / max(1, chances.sum()))
    cells = (np.cumsum(expected) / _TOKENS_PER_CELL).astype(np.int64)
    cells = np.minimum(cells, max(0, int(expected.sum() / _TOKENS_PER_CELL) - 1))
    observed, wanted = np.bincount(cells, found), np.bincount(cells, expected)
    observed, wanted = observed[wanted > 0], wanted[wanted > 0]
    if len(wanted) < 2:
        return RANDOM_TOKENS.not_made(f"{found.sum():,} random tokens; needs {2 * _TOKENS_PER_CELL}")
    statistic = float(((observed - wanted) ** 2 / wanted).sum())
    return RANDOM_TOKENS.tested(
        [chi_square_p_value(statistic, len(wanted) - 1)],
        observed=f"chi-square {statistic:,.0f}",
        expected=f"{len(wanted) - 1:,} degrees of freedom",
    )


def check_positions(tally: Tally, masking: str) -> Check:
    """Whether every position is predicted as often as chance would have it."""
    if missed := _words_that_do_not_fit(tally, masking):
        return POSITIONS.not_made(missed)  # cut words, at the ends of segments, are shorter
    # Neighbours that share a fate do not matter: a position has one token of a record.
    alone = [1] * len(tally.positions.predicted)
    return _check_selection(POSITIONS, tally.positions, lambda position: f"position {position}", alone)


def check_word_sizes(tally: Tally, masking: str) -> Check:
    """Whether long words are predicted as often as short ones."""
    if missed := _words_that_do_not_fit(tally, masking):
        return WORD_SIZES.not_made(missed)
    places = {
        PiecePlace.WHOLE: "words of one piece",
        PiecePlace.FIRST: "first pieces of longer words",
        PiecePlace.LAST: "last pieces of longer words",
        PiecePlace.INNER: "inner pieces of longer words",
    }
    # Of the pieces that share a fate few are of one kind: one of a word is the first, up to three quarters are inner.
    together = tokens_together(masking)
    ends, inner = -(-together // 8), -(-together * 3 // 4)
    by_place = {PiecePlace.FIRST: ends, PiecePlace.LAST: ends, PiecePlace.INNER: inner}
    return _check_selection(
        WORD_SIZES,
        tally.pieces,
        lambda place: places[PiecePlace(place)],
        [by_place.get(place, together) for place in PiecePlace],
    )


def _words_that_do_not_fit(tally: Tally, masking: str) -> str:
    """Says so if words stay whole and many are too long to be predicted; else nothing."""
    most = int(np.flatnonzero(tally.counts.any(axis=0)).max(initial=0))
    fit = is_exact(masking) or most >= _PIECES_OF_LONG_WORDS
    return "" if fit else f"at most {most} tokens of a record are predicted, and words that are longer never"


def check_across(tally: Tally, masking: str) -> Check:
    """Whether B's first word is predicted on its own, and not together with the last one of A."""
    words = ("whole words", "words that are cut there")
    predicted, candidates, expected = tally.across.predicted, tally.across.candidates, tally.across.expected
    kinds = np.flatnonzero(candidates).tolist()
    if not kinds:
        return ACROSS.not_made("there is no B behind an A whose last token is predicted")
    tolerance = 0.0 if is_exact(masking) else TOLERANCE_OF_WORDS
    shares = {kind: predicted[kind] / candidates[kind] for kind in kinds}
    most = {kind: expected[kind] / candidates[kind] * (1 + tolerance) for kind in kinds}
    p_values = [
        # Fewer of them are no sign of joined words.
        binomial_p_value(int(predicted[kind]), int(candidates[kind]), most[kind]) if shares[kind] > most[kind] else 1.0
        for kind in kinds
    ]
    worst = kinds[int(np.argmin(p_values))]
    return ACROSS.tested(
        p_values,
        observed=f"{shares[worst]:.3%} of {candidates[worst]:,} {words[worst]}",
        expected=f"at most {most[worst]:.3%}",
    )


def _check_selection(
    rule: Rule, selection: Selection, describe: Callable[[int], str], together: Sequence[int]
) -> Check:
    """One question a class: as many of its candidates predicted as expected?

    Args:
        rule: it is about.
        selection: what was counted.
        describe: a class for a person.
        together: of each class, how many tokens share a fate at most; see `tokens_together`.
    """
    classes = np.flatnonzero(selection.candidates).tolist()
    if not classes:
        return rule.not_made("no token could be predicted")
    predicted, candidates, expected = selection.predicted, selection.candidates, selection.expected
    p_values = [
        binomial_p_value(
            int(predicted[each]) // together[each],
            int(candidates[each]) // together[each],
            expected[each] / candidates[each],
        )
        for each in classes
    ]
    worst = classes[int(np.argmin(p_values))]
    return rule.tested(
        p_values,
        observed=f"{predicted[worst] / candidates[worst]:.3%} of {describe(worst)}",
        expected=f"{expected[worst] / candidates[worst]:.3%}",
    )


def _percentages(shares: Iterable[float]) -> str:
    return " / ".join(f"{share:.2%}" for share in shares)
