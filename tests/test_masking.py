"""Room 6: which tokens are hidden, and behind what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from mlm_data import chance
from mlm_data.config import MaskingSettings, PairingSettings
from mlm_data.instances import gather_instances
from mlm_data.masking import mask_tokens, prediction_counts
from mlm_data.pairing import lay_end_to_end, make_nsp_pairs, pack_sentences
from mlm_data.records import InstanceBatch
from mlm_data.vocabulary import Vocabulary
from tests.making import random_documents, vocabulary_content

ALPHA = 1e-6
VOCABULARY = Vocabulary.parse(vocabulary_content(), "made up")


def unmasked(max_seq_length: int, documents: int = 40, seed: int = 0) -> InstanceBatch:
    corpus = lay_end_to_end(random_documents(documents, sentences=(2, 30), words=(1, 40), seed=seed))
    pairs = make_nsp_pairs(corpus, PairingSettings(max_seq_length=max_seq_length), chance.generator(seed, "pair"))
    return gather_instances(pairs, VOCABULARY, max_seq_length)


def used_slots(batch: InstanceBatch) -> np.ndarray:
    return np.arange(batch.masked_lm_positions.shape[1]) < batch.masked_lm_counts[:, None]


@given(st.floats(0.01, 0.5), st.integers(1, 13), st.sampled_from([16, 128, 512]), st.integers(0, 2**32))
def test_masks_keep_every_promise(prob, slots, max_seq_length, seed):
    settings = MaskingSettings(masked_lm_prob=prob, max_predictions_per_seq=slots)
    before = unmasked(max_seq_length)
    after = mask_tokens(before, settings, VOCABULARY, chance.generator(seed, "mask"))

    expected = [min(slots, max(1, round(prob * n))) for n in before.lengths.tolist()]
    assert after.masked_lm_counts.tolist() == expected
    used, positions = used_slots(after), after.masked_lm_positions
    assert (positions[~used] == 0).all()
    assert (after.masked_lm_ids[~used] == 0).all()
    assert (np.diff(positions, axis=1)[used[:, 1:]] > 0).all()
    originals = np.take_along_axis(before.input_word_ids, positions, axis=1)
    assert (after.masked_lm_ids[used] == originals[used]).all()
    special = [VOCABULARY.pad_id, VOCABULARY.cls_id, VOCABULARY.sep_id]
    assert not np.isin(originals[used], special).any()

    rows = np.nonzero(used)[0]
    restored = after.input_word_ids.copy()
    restored[rows, positions[used]] = originals[used]
    assert (restored == before.input_word_ids).all(), "a token changed that is not predicted"


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


@pytest.fixture(scope="module")
def many() -> tuple[InstanceBatch, InstanceBatch]:
    before = unmasked(128, documents=6000)
    return before, mask_tokens(before, MaskingSettings(), VOCABULARY, chance.generator(3, "mask"))


def test_replacements_are_80_10_10(many):
    _, after = many
    used = used_slots(after)
    now = np.take_along_axis(after.input_word_ids, after.masked_lm_positions, axis=1)[used]
    originals = after.masked_lm_ids[used]
    ordinary = len(VOCABULARY.ordinary_ids)
    for count, share in (
        ((now == VOCABULARY.mask_id).sum(), 0.8),
        ((now == originals).sum(), 0.1 + 0.1 / ordinary),  # a random token may be the original
    ):
        assert binomtest(int(count), len(now), share).pvalue > ALPHA


def test_random_replacements_are_uniform_over_ordinary_tokens(many):
    _, after = many
    used = used_slots(after)
    now = np.take_along_axis(after.input_word_ids, after.masked_lm_positions, axis=1)[used]
    randoms = now[(now != VOCABULARY.mask_id) & (now != after.masked_lm_ids[used])]
    counts = np.bincount(randoms, minlength=len(VOCABULARY))
    ordinary = np.zeros(len(VOCABULARY), bool)
    ordinary[VOCABULARY.ordinary_ids] = True
    assert counts[~ordinary].sum() == 0
    assert chisquare(counts[ordinary]).pvalue > ALPHA


def test_every_position_is_chosen_with_equal_chance(many):
    before, after = many
    # Full instances only: there, each of the 125 candidates has the same chance.
    full = before.lengths == 128
    chosen = after.masked_lm_positions[full][used_slots(after)[full]]
    column = np.arange(128)
    special = (column == 0) | (column == before.a_lengths[full][:, None] - 1) | (column == 127)
    candidates = (~special).sum(axis=0)
    counts = np.bincount(chosen, minlength=128)[candidates > 0]
    expected = candidates[candidates > 0] * counts.sum() / candidates.sum()
    assert chisquare(counts, expected).pvalue > ALPHA


def test_two_passes_choose_independently(many):
    before, one = many
    other = mask_tokens(before, MaskingSettings(), VOCABULARY, chance.generator(4, "mask"))
    full = np.flatnonzero(before.lengths == 128)
    chosen = np.zeros((2, len(full), 128), bool)
    for mask, batch in zip(chosen, (one, other), strict=True):
        used = used_slots(batch)[full]
        mask[np.nonzero(used)[0], batch.masked_lm_positions[full][used]] = True
    both = int((chosen[0] & chosen[1]).sum())
    k = int(one.masked_lm_counts[full[0]])
    assert binomtest(both, len(full) * k, k / 125).pvalue > ALPHA
