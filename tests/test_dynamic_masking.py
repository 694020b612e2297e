"""Masks drawn anew in the trainer's graph: they keep the generator's promises, and follow its laws."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare

from mlm_data import chance
from mlm_data.config import MaskingSettings, PairingSettings
from mlm_data.examples import feature_values
from mlm_data.instances import gather_instances
from mlm_data.masking import mask_tokens, prediction_counts
from mlm_data.pairing import lay_end_to_end, make_segments
from mlm_data.records import InstanceBatch
from tests.making import random_documents
from tests.tiny_bert import VOCABULARY, needs_tensorflow

pytestmark = needs_tensorflow
ALPHA = 1e-6
STRATEGIES = ("token", "whole_word", "ngram", "span")
SPECIALS = [VOCABULARY.pad_id, VOCABULARY.cls_id, VOCABULARY.sep_id, VOCABULARY.mask_id]

Batch = dict[str, np.ndarray]


@functools.cache
def instances(width: int, objective: str = "nsp") -> InstanceBatch:
    """Some hundreds without masks; half of their tokens are ## pieces."""
    corpus = lay_end_to_end(random_documents(60, sentences=(2, 30), words=(1, 40)))
    settings = PairingSettings(objective=objective, max_seq_length=width)
    return gather_instances(
        make_segments(corpus, settings, VOCABULARY.sep_id, chance.generator(1, "pair")), VOCABULARY, width
    )


def columns(batch: InstanceBatch) -> Batch:
    """As the trainer reads them."""
    values = {name: value.astype(np.int32) for name, value in feature_values(batch).items()}
    return values | ({} if batch.input_word_starts is not None else {"masked_lm_weights": used_slots(batch) * 1.0})


def used_slots(batch: InstanceBatch) -> np.ndarray:
    return np.arange(batch.masked_lm_positions.shape[1]) < batch.masked_lm_counts[:, None]


def generate(settings: MaskingSettings, seed: int, width: int = 128) -> Batch:
    """Masks of the generator."""
    return columns(mask_tokens(instances(width), settings, VOCABULARY, np.random.default_rng(seed)))


def without_masks(width: int = 128, objective: str = "nsp") -> Batch:
    none = MaskingSettings(masking="none")
    return columns(mask_tokens(instances(width, objective), none, VOCABULARY, np.random.default_rng(0)))


def mask_again(batch: Batch, settings: MaskingSettings, seed: int) -> Batch:
    """Masks of the trainer."""
    import tensorflow as tf

    from mlm_data.training.dynamic_masking import make_masker

    mask = make_masker(settings, VOCABULARY)
    masked = mask({name: tf.constant(value) for name, value in batch.items()}, tf.constant([seed, 1]))
    return {name: value.numpy() for name, value in masked.items()}


def unmasked(batch: Batch) -> np.ndarray:
    ids = batch["input_word_ids"].copy()
    used = batch["masked_lm_weights"] > 0
    ids[np.nonzero(used)[0], batch["masked_lm_positions"][used]] = batch["masked_lm_ids"][used]
    return ids


def words_of(row: Iterable[int]) -> list[list[int]]:
    """The positions of each word of a row, found one token after another."""
    words: list[list[int]] = []
    inside = False
    for position, number in enumerate(row):
        is_special = number in SPECIALS
        if inside and not is_special and VOCABULARY.pieces[number].startswith("##"):
            words[-1].append(position)
        elif not is_special:
            words.append([position])
        inside = not is_special
    return words


@hypothesis.settings(max_examples=40)
@given(
    st.sampled_from(STRATEGIES),
    st.floats(0.01, 0.5),
    st.integers(1, 13),
    st.sampled_from(["nsp", "mlm"]),
    st.integers(0, 2**31 - 1),
)
def test_masks_keep_the_generators_promises(masking, prob, slots, objective, seed):
    settings = MaskingSettings(masking=masking, masked_lm_prob=prob, max_predictions_per_seq=slots)
    before = without_masks(32, objective)
    after = mask_again(before, settings, seed)
    used, positions = after["masked_lm_weights"] > 0, after["masked_lm_positions"]
    counts = used.sum(axis=1)
    assert (used == (np.arange(slots) < counts[:, None])).all()
    assert (positions[~used] == 0).all()
    assert (after["masked_lm_ids"][~used] == 0).all()
    assert (np.diff(positions, axis=1)[used[:, 1:]] > 0).all()
    assert not np.isin(after["masked_lm_ids"][used], SPECIALS).any()
    assert (unmasked(after) == before["input_word_ids"]).all(), "a token changed that is not predicted, or is forgotten"
    assert after.keys() == before.keys() - {"input_word_starts"} | {
        "masked_lm_positions", "masked_lm_ids", "masked_lm_weights",
    }  # fmt: skip

    candidates = (~np.isin(before["input_word_ids"], SPECIALS)).sum(axis=1)
    budgets = np.minimum(prediction_counts(before["input_mask"].sum(axis=1), settings), candidates)
    assert (counts == budgets).all() if masking == "token" else ((counts >= 1) & (counts <= budgets)).all()
    if masking == "token":
        return
    for row, some, budget in zip(before["input_word_ids"].tolist(), positions, budgets, strict=True):
        chosen, fitting = set(some.tolist()) - {0}, [word for word in words_of(row) if len(word) <= budget]
        whole = [word for word in fitting if chosen.issuperset(word)]
        assert not fitting or sum(map(len, whole)) == len(chosen), "a word is chosen in part"


@pytest.mark.parametrize("masking", STRATEGIES)
def test_masks_follow_the_seed_whether_words_are_told_or_found(masking):
    settings = MaskingSettings(masking=masking, max_predictions_per_seq=20)
    masked = generate(MaskingSettings(max_predictions_per_seq=20), 1)
    one, same, other = (mask_again(masked, settings, seed)["input_word_ids"] for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
    assert (mask_again(without_masks(), settings, 1)["input_word_ids"] == one).all()


def test_a_batch_without_rows_stays_so():
    """The share of a worker in a batch of fewer rows than workers."""
    empty = {name: value[:0] for name, value in without_masks().items()}
    for masking in STRATEGIES:
        masked = mask_again(empty, MaskingSettings(masking=masking, max_predictions_per_seq=20), 1)
        assert masked["masked_lm_positions"].shape == (0, 20)


# Each of these looks at one token, or one number, of each instance, so that what is counted is independent.


def places(batch: Batch) -> np.ndarray:
    """Where the middle one of the predicted tokens stands."""
    counts = batch["masked_lm_weights"].sum(axis=1).astype(int)
    return batch["masked_lm_positions"][np.arange(len(counts)), counts // 2]


def predicted(batch: Batch) -> np.ndarray:
    return batch["masked_lm_weights"].sum(axis=1).astype(int)


def pieces(batch: Batch) -> np.ndarray:
    """How many pieces the word of that token has."""
    starts = without_masks()["input_word_starts"] > 0
    ids = unmasked(batch)
    sizes = np.zeros(ids.shape, int)
    ends = starts | np.isin(ids, SPECIALS)
    row, column = np.nonzero(starts)
    following = [np.flatnonzero(ends[r, c + 1 :])[0] + 1 for r, c in zip(row, column, strict=True)]
    sizes[row, column] = following
    head = np.maximum.accumulate(np.where(starts, np.arange(ids.shape[1]), 0), axis=1)
    rows = np.arange(len(ids))
    return sizes[rows, head[rows, places(batch)]]


def neighbours(batch: Batch) -> np.ndarray:
    """How many tokens in a row are predicted around it."""
    chosen = np.zeros(batch["input_word_ids"].shape, bool)
    used = batch["masked_lm_weights"] > 0
    chosen[np.nonzero(used)[0], batch["masked_lm_positions"][used]] = True
    column = np.arange(chosen.shape[1])
    before = np.maximum.accumulate(np.where(chosen, 0, column), axis=1)
    after = np.minimum.accumulate(np.where(chosen, column[-1], column)[:, ::-1], axis=1)[:, ::-1]
    rows = np.arange(len(chosen))
    return (after - before)[rows, places(batch)] - 1


def fates(batch: Batch) -> np.ndarray:
    """Whether it is hidden by [MASK] (1), or another token (2), or not at all (0), and likewise the token before it."""
    rows, middle = np.arange(len(batch["input_mask"])), places(batch)
    kinds = np.where(batch["input_word_ids"] == VOCABULARY.mask_id, 1, 2 * (batch["input_word_ids"] != unmasked(batch)))
    chosen = np.zeros(kinds.shape, bool)
    used = batch["masked_lm_weights"] > 0
    chosen[np.nonzero(used)[0], batch["masked_lm_positions"][used]] = True
    before = np.where(chosen[rows, middle - 1], kinds[rows, middle - 1], 3)
    return 4 * kinds[rows, middle] + before


@pytest.mark.parametrize("masking", STRATEGIES)
def test_masks_follow_the_generators_law(masking):
    settings = MaskingSettings(masking=masking, max_predictions_per_seq=20)
    draws = 60
    theirs = [generate(settings, seed) for seed in range(draws)]
    ours = [mask_again(without_masks(), settings, seed) for seed in range(draws)]
    for look in (places, predicted, pieces, neighbours, fates):
        seen = [np.concatenate([look(batch) for batch in batches]) for batches in (theirs, ours)]
        table = np.stack([np.bincount(values, minlength=max(map(np.max, seen)) + 1) for values in seen])
        table = np.column_stack([table[:, table.sum(axis=0) >= 20], table[:, table.sum(axis=0) < 20].sum(axis=1)])
        table = table[:, table.sum(axis=0) > 0]
        assert table.shape[1] == 1 or chi2_contingency(table).pvalue > ALPHA, look.__name__


@pytest.mark.parametrize("masking", STRATEGIES)
def test_random_tokens_are_uniform_over_ordinary_ones(masking):
    settings = MaskingSettings(masking=masking, max_predictions_per_seq=20, mask_token_prob=0.0, random_token_prob=1.0)
    draws = [mask_again(without_masks(), settings, seed) for seed in range(20)]
    now = np.concatenate([np.take_along_axis(draw["input_word_ids"], places(draw)[:, None], 1)[:, 0] for draw in draws])
    counts = np.bincount(now, minlength=len(VOCABULARY))
    assert np.delete(counts, VOCABULARY.ordinary_ids).sum() == 0
    expected = np.full(len(VOCABULARY.ordinary_ids), len(now) / len(VOCABULARY.ordinary_ids))
    assert chisquare(counts[VOCABULARY.ordinary_ids], expected).pvalue > ALPHA


def test_masks_are_as_those_of_tensorflow_text():
    tf_text = pytest.importorskip("tensorflow_text", reason="tensorflow-text is not installed")
    import tensorflow as tf

    tf.random.set_seed(1)
    batch = without_masks()
    full = batch["input_mask"].all(axis=1)  # where both choose 19
    ids = batch["input_word_ids"][full]
    selector = tf_text.RandomItemSelector(19, 0.15, SPECIALS)
    chooser = tf_text.MaskValuesChooser(len(VOCABULARY), VOCABULARY.mask_id, 0.8, 0.1)
    kinds, places = np.zeros((2, 3)), np.zeros((2, ids.shape[1]))
    draw = tf.function(lambda: tf_text.mask_language_model(tf.RaggedTensor.from_tensor(ids), selector, chooser))
    for seed in range(4):
        ours = mask_again(batch, MaskingSettings(max_predictions_per_seq=19), seed)
        hidden, positions, _ = (some.to_tensor().numpy() for some in draw())
        chosen = [(ours["input_word_ids"][full], ours["masked_lm_positions"][full]), (hidden, positions)]
        for number, (after, where) in enumerate(chosen):
            before, now = (np.take_along_axis(some, where, 1) for some in (ids, after))
            kinds[number] += [(now == VOCABULARY.mask_id).sum(), (now == before).sum(), now.size]
            places[number] += np.bincount(where.ravel(), minlength=ids.shape[1])
    kinds[:, 2] -= kinds[:, :2].sum(axis=1)
    assert chi2_contingency(kinds).pvalue > ALPHA
    assert chi2_contingency(places[:, places.sum(axis=0) > 0]).pvalue > ALPHA


def test_whole_words_are_as_those_of_tensorflow_text():
    """Its budget counts words; of words of one piece that are full instances, both choose as many, anywhere."""
    tf_text = pytest.importorskip("tensorflow_text", reason="tensorflow-text is not installed")
    import tensorflow as tf

    tf.random.set_seed(1)
    # Eight words of two pieces each: a budget of six tokens is one of three words, and never left unused.
    head, piece = (VOCABULARY.pieces.index(name) for name in ("w1", "##c0"))
    ids = np.full((2000, 18), head, np.int32)
    ids[:, 2:-1:2], ids[:, 0], ids[:, -1] = piece, VOCABULARY.cls_id, VOCABULARY.sep_id
    words = tf.RaggedTensor.from_row_splits([head, piece] * 8, range(0, 17, 2))[tf.newaxis]
    settings = MaskingSettings(masking="whole_word", masked_lm_prob=1 / 3, max_predictions_per_seq=6)
    ours = mask_again({"input_word_ids": ids, "input_mask": np.ones_like(ids)}, settings, 1)
    assert (ours["masked_lm_weights"].sum(axis=1) <= 6).all()
    chosen = ours["masked_lm_positions"][:, ::2][ours["masked_lm_weights"][:, ::2] > 0] // 2
    selector = tf_text.RandomItemSelector(3, 0.4, SPECIALS)
    chooser = tf_text.MaskValuesChooser(len(VOCABULARY), VOCABULARY.mask_id, 0.8, 0.1)
    draw = tf.function(lambda: tf_text.mask_language_model(tf.tile(words, [2000, 1, 1]), selector, chooser, axis=1))
    _, positions, _ = draw()
    theirs = positions.flat_values.numpy().reshape(-1, 2)
    assert (np.diff(theirs) == 1).all(), "whole words"
    table = np.stack([np.bincount(chosen, minlength=8), np.bincount(theirs[:, 0] // 2, minlength=8)])
    assert chi2_contingency(table).pvalue > ALPHA
