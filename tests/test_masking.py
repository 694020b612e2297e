"""Room 6: which tokens are hidden, and behind what."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections import Counter

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2_contingency, chisquare, poisson

from mlm_data import chance
from mlm_data.config import MaskingSettings, PairingSettings
from mlm_data.instances import gather_instances
from mlm_data.masking import find_candidates, mask_tokens, prediction_counts
from mlm_data.masking import tokens as token_masking
from mlm_data.masking.budget import RUNS
from mlm_data.masking.scores import ScoreBits, draw_scores
from mlm_data.masking.tokens import choose_tokens
from mlm_data.masking.units import draw_units, unit_sizes
from mlm_data.masking.words import find_words, leave_out_long
from mlm_data.pairing import lay_end_to_end, make_nsp_pairs, pack_sentences
from mlm_data.records import InstanceBatch
from mlm_data.vocabulary import Vocabulary
from tests.making import random_documents, vocabulary_content

ALPHA = 1e-6
VOCABULARY = Vocabulary.parse(vocabulary_content(), "made up")
SPECIAL = (VOCABULARY.pad_id, VOCABULARY.cls_id, VOCABULARY.sep_id)
STRATEGIES = ("token", "whole_word", "ngram", "span")
WHOLE_WORDS = STRATEGIES[1:]


@functools.cache
def unmasked(max_seq_length: int, documents: int = 40, seed: int = 0) -> InstanceBatch:
    corpus = lay_end_to_end(random_documents(documents, sentences=(2, 30), words=(1, 40), seed=seed))
    pairs = make_nsp_pairs(corpus, PairingSettings(max_seq_length=max_seq_length), chance.generator(seed, "pair"))
    return gather_instances(pairs, VOCABULARY, max_seq_length)


def batch_of(rows: list[str]) -> InstanceBatch:
    """Instances written as pieces; of no interest where the first segment ends."""
    ids = [[VOCABULARY.pieces.index(piece) for piece in row.split()] for row in rows]
    lengths = np.array([len(row) for row in ids], np.int32)
    padded = np.full((len(ids), 16), VOCABULARY.pad_id, np.int32)
    for row, values in zip(padded, ids, strict=True):
        row[: len(values)] = values
    none = np.zeros((len(ids), 0), np.int32)
    return InstanceBatch(padded, lengths, lengths, none, none, np.zeros_like(lengths), np.zeros(len(ids), np.int64))


def with_more_separators(batch: InstanceBatch, seed: int) -> InstanceBatch:
    """Some more [SEP] in the midst of the text, as where documents meet."""
    ids, rng = batch.input_word_ids.copy(), np.random.default_rng(seed)
    some = find_candidates(ids, VOCABULARY) & (rng.random(ids.shape) < 0.03)
    some[:, 1:] &= find_candidates(ids, VOCABULARY)[:, :-1]  # every row keeps a candidate
    ids[some] = VOCABULARY.sep_id
    return dataclasses.replace(batch, input_word_ids=ids)


def used_slots(batch: InstanceBatch) -> np.ndarray:
    return np.arange(batch.masked_lm_positions.shape[1]) < batch.masked_lm_counts[:, None]


def chosen_tokens(batch: InstanceBatch) -> np.ndarray:
    """Which tokens are predicted, bool [instances, L]."""
    used = used_slots(batch)
    chosen = np.zeros(batch.input_word_ids.shape, bool)
    chosen[np.nonzero(used)[0], batch.masked_lm_positions[used]] = True
    return chosen


def words_of(row: list[int]) -> list[list[int]]:
    """The positions of each word of a row, found one token after another."""
    words: list[list[int]] = []
    inside = False
    for position, number in enumerate(row):
        if number in SPECIAL:
            inside = False
        elif inside and VOCABULARY.pieces[number].startswith("##"):
            words[-1].append(position)
        else:
            words.append([position])
            inside = True
    return words


@hypothesis.settings(deadline=None)
@given(
    st.sampled_from(STRATEGIES),
    st.floats(0.01, 0.5),
    st.integers(1, 13),
    st.sampled_from([16, 128, 1100]),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_masks_keep_every_promise(masking, prob, slots, max_seq_length, more_separators, seed):
    settings = MaskingSettings(masking=masking, masked_lm_prob=prob, max_predictions_per_seq=slots)
    before = unmasked(max_seq_length)
    before = with_more_separators(before, seed) if more_separators else before
    after = mask_tokens(before, settings, VOCABULARY, chance.generator(seed, "mask"))

    candidates = ~np.isin(before.input_word_ids, SPECIAL)
    wanted = np.array([min(slots, max(1, round(prob * n))) for n in before.lengths.tolist()])
    budgets = np.minimum(wanted, candidates.sum(axis=1))
    assert (after.masked_lm_counts >= 1).all()
    assert (after.masked_lm_counts <= budgets).all()
    used, positions = used_slots(after), after.masked_lm_positions
    assert (positions[~used] == 0).all()
    assert (after.masked_lm_ids[~used] == 0).all()
    assert (np.diff(positions, axis=1)[used[:, 1:]] > 0).all()
    originals = np.take_along_axis(before.input_word_ids, positions, axis=1)
    assert (after.masked_lm_ids[used] == originals[used]).all()
    assert not np.isin(originals[used], SPECIAL).any()

    rows = np.nonzero(used)[0]
    restored = after.input_word_ids.copy()
    restored[rows, positions[used]] = originals[used]
    assert (restored == before.input_word_ids).all(), "a token changed that is not predicted"

    if masking == "token":
        assert (after.masked_lm_counts == budgets).all()
        return
    for row, chosen, budget in zip(before.input_word_ids.tolist(), chosen_tokens(after), budgets, strict=True):
        fitting = [word for word in words_of(row) if len(word) <= budget]
        if fitting:
            whole = {tuple(word) for word in fitting if chosen[word].all()}
            assert sum(map(len, whole)) == chosen.sum(), "a word is chosen in part"


@given(st.sampled_from([16, 128]), st.integers(0, 2**32), st.booleans())
def test_without_masking_it_is_marked_where_words_begin(width, seed, with_separators):
    before = unmasked(width, documents=8)
    before = with_more_separators(before, seed) if with_separators else before
    settings = MaskingSettings(masking="none")
    after = mask_tokens(before, settings, VOCABULARY, chance.generator(seed, "mask"))
    assert after.input_word_ids is before.input_word_ids
    for row, starts in zip(before.input_word_ids.tolist(), after.input_word_starts, strict=True):
        assert np.flatnonzero(starts).tolist() == [word[0] for word in words_of(row)]


def test_separators_between_documents_stay_even_where_little_else_is():
    corpus = lay_end_to_end(random_documents(5 * 63, sentences=(1, 2), words=(1, 2)))
    segments = pack_sentences(corpus, PairingSettings(objective="mlm"), VOCABULARY.sep_id, chance.generator(1, "pack"))
    before = gather_instances(segments, VOCABULARY, 128)
    assert set(before.lengths.tolist()) == {127}  # [CLS] and 63 words, a [SEP] after each; half of 127 is rounded to 64
    settings = MaskingSettings(masked_lm_prob=0.5, max_predictions_per_seq=100)
    after = mask_tokens(before, settings, VOCABULARY, chance.generator(1, "mask"))
    words = (before.input_word_ids != VOCABULARY.sep_id) & (np.arange(128) < before.lengths[:, None])
    words[:, 0] = False
    for row, chosen in enumerate(used_slots(after)):
        assert set(after.masked_lm_positions[row, chosen].tolist()) == set(np.flatnonzero(words[row]).tolist())


def test_the_number_of_predictions_rounds_halves_as_python_does():
    lengths = np.arange(5, 513, dtype=np.int32)
    settings = MaskingSettings(masked_lm_prob=0.5, max_predictions_per_seq=400)
    assert prediction_counts(lengths, settings).tolist() == [max(1, round(0.5 * n)) for n in lengths.tolist()]


def test_slots_that_are_still_to_be_decided_are_refused():
    with pytest.raises(ValueError, match="max_predictions_per_seq is auto; expected a number"):
        mask_tokens(unmasked(16), MaskingSettings(), VOCABULARY, np.random.default_rng(0))


@pytest.mark.parametrize("masking", STRATEGIES)
def test_the_same_seed_chooses_the_same(masking):
    settings = MaskingSettings(masking=masking, max_predictions_per_seq=20)
    one, same, other = (
        mask_tokens(unmasked(128), settings, VOCABULARY, chance.generator(seed, "mask")).input_word_ids
        for seed in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()


@pytest.mark.parametrize("masking", STRATEGIES)
def test_an_instance_of_one_token_predicts_it(masking):
    settings = MaskingSettings(masking=masking, masked_lm_prob=0.5, max_predictions_per_seq=4)
    after = mask_tokens(batch_of(["[CLS] w1 [SEP]"] * 3), settings, VOCABULARY, np.random.default_rng(0))
    assert after.masked_lm_positions.tolist() == [[1, 0, 0, 0]] * 3
    assert after.masked_lm_counts.tolist() == [1, 1, 1]


@pytest.mark.parametrize("masking", WHOLE_WORDS)
def test_words_end_at_separators_and_those_beyond_the_budget_are_left_alone(masking):
    # Of eight tokens one is to be predicted, so that only words of one piece will do; where there are none, a piece.
    rows = ["[CLS] w1 ##c2 [SEP] ##c4 w3 ##c6 [SEP]", "[CLS] ##c0 ##c2 [SEP] w1 ##c4 ##c2 [SEP]"]
    settings = MaskingSettings(masking=masking, max_predictions_per_seq=3)
    seen = np.zeros((2, 16), np.int64)
    for seed in range(1000):
        seen += chosen_tokens(mask_tokens(batch_of(rows), settings, VOCABULARY, np.random.default_rng(seed)))
    assert seen[0].tolist() == [0, 0, 0, 0, 1000, *11 * [0]]
    assert seen[1].nonzero()[0].tolist() == [1, 2, 4, 5, 6]
    assert chisquare(seen[1][seen[1] > 0]).pvalue > ALPHA


@pytest.mark.parametrize("masking", WHOLE_WORDS)
def test_budgets_are_filled_but_for_a_few_tokens(masking):
    before = unmasked(512, documents=400)
    for prob, least in ((0.15, 0.92), (0.5, 0.95)):  # four standard deviations below the mean, or more
        settings = MaskingSettings(masking=masking, masked_lm_prob=prob, max_predictions_per_seq=256)
        after = mask_tokens(before, settings, VOCABULARY, chance.generator(3, "mask"))
        assert after.masked_lm_counts.sum() > least * prediction_counts(before.lengths, settings).sum()


@pytest.mark.parametrize("values", [1 << 32, 4], ids=["", "with many ties"])
def test_every_set_of_so_many_tokens_has_the_same_chance(monkeypatch, values):
    monkeypatch.setattr(
        token_masking, "random_bits", lambda count, kind, rng: rng.integers(0, values, count, dtype=kind)
    )
    candidates = np.array([[False, True, True, True, False, True, True, False]])
    rng, seen = np.random.default_rng(1), Counter[bytes]()
    for _ in range(4000):
        chosen, counts = choose_tokens(candidates, np.array([2], np.int32), rng)
        assert counts.tolist() == [2]
        assert not chosen[~candidates].any()
        seen[chosen.tobytes()] += 1
    assert len(seen) == 10
    assert chisquare(list(seen.values())).pvalue > ALPHA


def cut_into_runs(words: tuple[int, ...], sizes: list[int], budget: int) -> list[frozenset[int]]:
    """Cuts one word after another."""
    runs: list[list[int]] = [[]]
    for word in words:
        if sum(sizes[one] for one in [*runs[-1], word]) > budget:
            runs.append([])
        runs[-1].append(word)
    return [frozenset(run) for run in runs]


def runs_of(order: tuple[int, ...], sizes: list[int], budget: int) -> list[frozenset[int]]:
    """The runs of words in this order, one of which is drawn: of the rounds that should leave least of the budget."""
    many = cut_into_runs(order * 100, sizes, budget)[:RUNS]
    mean = sum(sizes[word] for run in many for word in run) / RUNS
    rounds = max((1, 2, 3), key=lambda number: number / math.ceil(number * sum(sizes) / mean))
    return cut_into_runs(order * rounds, sizes, budget)


def test_sets_of_words_have_the_chances_of_runs_of_a_circle():
    row = "[CLS] w1 w3 ##c2 w1 [SEP] w3 ##c4 ##c2 w1 [SEP]"
    words = [[1], [2, 3], [4], [6, 7, 8], [9]]
    expected: Counter[frozenset[int]] = Counter()
    for order in itertools.permutations(range(5)):
        runs = runs_of(order, [len(word) for word in words], budget=4)
        for run in runs:
            expected[run] += 1 / len(runs) / 120
    chances = [sum(share for run, share in expected.items() if word in run) for word in range(5)]
    assert np.ptp(chances) < 1e-9, "the oracle treats words alike"

    settings = MaskingSettings(masking="whole_word", masked_lm_prob=0.36, max_predictions_per_seq=4)
    after = mask_tokens(batch_of([row] * 20_000), settings, VOCABULARY, np.random.default_rng(4))
    seen = Counter(
        frozenset(number for number, word in enumerate(words) if row[word].all()) for row in chosen_tokens(after)
    )
    assert seen.keys() <= expected.keys()
    assert chisquare([seen[run] for run in expected], [20_000 * share for share in expected.values()]).pvalue > ALPHA


@pytest.fixture(scope="module", params=STRATEGIES)
def many(request) -> tuple[InstanceBatch, InstanceBatch]:
    """Instances before and after masking, some thousands."""
    before = unmasked(128, documents=6000)
    settings = MaskingSettings(masking=request.param, max_predictions_per_seq=20)
    return before, mask_tokens(before, settings, VOCABULARY, chance.generator(3, "mask"))


@functools.cache
def pieces_of_words() -> np.ndarray:
    """For the instances of `many`, where a word begins its number of pieces, elsewhere 0; int64 [instances, L]."""
    rows = unmasked(128, documents=6000).input_word_ids
    pieces = np.zeros(rows.shape, np.int64)
    for result, row in zip(pieces, rows.tolist(), strict=True):
        for word in words_of(row):
            result[word[0]] = len(word)
    return pieces


def test_every_position_is_chosen_with_equal_chance(many):
    before, after = many
    # Full instances only, and no word larger than the budget: there, each candidate has the same chance.
    some = (before.lengths == 128) & (pieces_of_words().max(axis=1) <= 19)
    candidates, chosen = find_candidates(before.input_word_ids, VOCABULARY)[some], chosen_tokens(after)[some]
    expected = (candidates * chosen.mean(axis=1, keepdims=True) / candidates.mean(axis=1, keepdims=True)).sum(axis=0)
    used = expected > 0
    assert chisquare(chosen.sum(axis=0)[used], expected[used]).pvalue > ALPHA


@pytest.mark.parametrize("many", WHOLE_WORDS, indirect=True)
def test_a_words_chance_does_not_depend_on_its_number_of_pieces(many):
    before, after = many
    some = (before.lengths == 128) & (pieces_of_words().max(axis=1) <= 19)
    pieces = np.minimum(pieces_of_words()[some], 8)
    chosen = chosen_tokens(after)[some] & (pieces > 0)
    # Within an instance all words have the same chance.
    chance_of_word = chosen.sum(axis=1, keepdims=True) / (pieces > 0).sum(axis=1, keepdims=True)
    seen = [int((chosen & (pieces == number)).sum()) for number in range(1, 9)]
    expected = [float(((pieces == number) * chance_of_word).sum()) for number in range(1, 9)]
    assert chisquare(seen, expected).pvalue > ALPHA


@pytest.mark.parametrize(
    ("settings", "weights"),
    [
        (MaskingSettings(masking="ngram"), [6, 3, 2]),
        (MaskingSettings(masking="ngram", max_ngram_size=5), [60, 30, 20, 15, 12]),
        (MaskingSettings(masking="span"), [0.8**n for n in range(10)]),
    ],
)
def test_sizes_of_ngrams_and_spans_follow_their_laws(settings, weights):
    starts, numbers = draw_units(1_000_000, 1000, unit_sizes(settings), np.random.default_rng(5))
    assert len(numbers) == 1000 + len(starts)
    sizes = np.diff(starts, prepend=0)
    seen = np.bincount(sizes, minlength=len(weights) + 1)
    assert seen[0] == 0
    expected = np.array(weights) * seen.sum() / sum(weights)
    assert chisquare(seen[1:], expected).pvalue > ALPHA
    assert 0 < starts[0] <= len(weights)
    assert 1_000_000 - len(weights) <= starts[-1] < 1_000_000
    # What puts units into random order is independent of their sizes, and of one unit to the next.
    scores = np.cumsum(ScoreBits(preceding=2, column=7).jumps(numbers[1000:]), dtype=np.uint32) >> 29
    pairs = scores[:-1] * 8 + scores[1:]
    assert chi2_contingency(np.histogram2d(sizes[1:], pairs, bins=[len(weights), 64])[0]).pvalue > ALPHA
    assert chisquare(np.bincount(pairs, minlength=64)).pvalue > ALPHA


@hypothesis.settings(deadline=None)
@given(st.sampled_from(WHOLE_WORDS), st.integers(1, 20), st.booleans(), st.integers(0, 2**32))
def test_ngrams_and_spans_are_whole_words_in_a_row_of_one_segment(masking, budget, more_separators, seed):
    batch = with_more_separators(unmasked(128), seed) if more_separators else unmasked(128)
    rows = batch.input_word_ids
    budgets = np.full(len(rows), budget, np.int32)
    words = leave_out_long(find_words(rows, VOCABULARY), budgets)
    settings = MaskingSettings(masking=masking)
    drawn = draw_scores(words, unit_sizes(settings), np.random.default_rng(seed))
    scores, bits = drawn.numbers, drawn.bits
    assert (bits.columns_of(scores) == np.arange(rows.shape[1])).all()
    preceding = np.zeros(rows.size, np.int64)
    preceding[words.pieces] = words.preceding
    assert (bits.preceding_of(scores).ravel() == preceding).all()
    fixed = bits.preceding + bits.column
    scores, torn, pairs = (scores >> fixed).tolist(), 0, 0
    for row, score in zip(rows.tolist(), scores, strict=True):
        units: dict[int, list[list[int]]] = {}
        for word in words_of(row):
            if len(word) <= budget:
                (number,) = {score[position] for position in word}
                units.setdefault(number, []).append(word)
        for unit in units.values():
            positions = [position for word in unit for position in word]
            is_one = positions == list(range(positions[0], positions[-1] + 1))
            torn += not is_one or len(unit) > len(unit_sizes(settings))
        pairs += math.comb(len(units), 2)
    # Two units of a row may have the same random number, with a chance of 2 ** -bits, and then look like one, torn.
    assert torn <= poisson.isf(1e-9, pairs / 2 ** (32 - fixed))


def replaced(many: tuple[InstanceBatch, InstanceBatch], slots: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
    """The ids that stand where tokens are predicted, and the originals."""
    _, after = many
    used = used_slots(after)[:, slots]
    now = np.take_along_axis(after.input_word_ids, after.masked_lm_positions, axis=1)[:, slots]
    return now[used], after.masked_lm_ids[:, slots][used]


def test_replacements_are_80_10_10(many):
    now, originals = replaced(many, slice(1))  # one of each instance, since tokens of a span share their fate
    ordinary = len(VOCABULARY.ordinary_ids)
    for count, share in (
        ((now == VOCABULARY.mask_id).sum(), 0.8),
        ((now == originals).sum(), 0.1 + 0.1 / ordinary),  # a random token may be the original
    ):
        assert binomtest(int(count), len(now), share).pvalue > ALPHA


@pytest.mark.parametrize("masking", STRATEGIES)
@pytest.mark.parametrize(("mask", "random"), [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (0.3, 0.5)])
def test_shares_of_replacements_are_those_asked_for(masking, mask, random):
    before = unmasked(128, documents=2000)
    settings = MaskingSettings(
        masking=masking, max_predictions_per_seq=20, mask_token_prob=mask, random_token_prob=random
    )
    now, originals = replaced((before, mask_tokens(before, settings, VOCABULARY, np.random.default_rng(8))), slice(1))
    ordinary = len(VOCABULARY.ordinary_ids)
    assert binomtest(int((now == VOCABULARY.mask_id).sum()), len(now), mask).pvalue > ALPHA
    assert binomtest(int((now == originals).sum()), len(now), 1 - mask - random + random / ordinary).pvalue > ALPHA


def test_random_replacements_are_uniform_over_ordinary_tokens(many):
    now, originals = replaced(many)
    counts = np.bincount(now[(now != VOCABULARY.mask_id) & (now != originals)], minlength=len(VOCABULARY))
    ordinary = np.zeros(len(VOCABULARY), bool)
    ordinary[VOCABULARY.ordinary_ids] = True
    assert counts[~ordinary].sum() == 0
    assert chisquare(counts[ordinary]).pvalue > ALPHA


@pytest.mark.parametrize(("masking", "together"), [("whole_word", False), ("ngram", False), ("span", True)])
def test_only_the_tokens_of_a_span_share_their_fate(masking, together):
    before = unmasked(128, documents=400)
    settings = MaskingSettings(masking=masking, max_predictions_per_seq=20, mask_token_prob=0.5, random_token_prob=0.0)
    after = mask_tokens(before, settings, VOCABULARY, np.random.default_rng(7))
    hidden, positions = after.input_word_ids == VOCABULARY.mask_id, chosen_tokens(after)
    joined = (
        VOCABULARY.is_continuation[before.input_word_ids[:, 1:]]
        & find_candidates(before.input_word_ids, VOCABULARY)[:, :-1]
    )
    within_word = positions[:, 1:] & positions[:, :-1] & joined
    same = (hidden[:, 1:] == hidden[:, :-1])[within_word]
    if together:
        assert same.all()
        side_by_side = positions[:, 1:] & positions[:, :-1] & ~joined
        assert (hidden[:, 1:] == hidden[:, :-1])[side_by_side].mean() > 0.8
    else:
        assert binomtest(int(same.sum()), len(same), 0.5).pvalue > ALPHA


@pytest.mark.parametrize("many", ["token"], indirect=True)
def test_two_passes_choose_independently(many):
    before, one = many
    settings = MaskingSettings(max_predictions_per_seq=20)
    other = mask_tokens(before, settings, VOCABULARY, chance.generator(4, "mask"))
    full = before.lengths == 128
    both = int((chosen_tokens(one) & chosen_tokens(other))[full].sum())
    k = int(one.masked_lm_counts[full][0])
    assert binomtest(both, int(full.sum()) * k, k / 125).pvalue > ALPHA
