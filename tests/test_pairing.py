"""Room 5: pairs are balanced by construction, and nothing but the order of the text tells the labels apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mlm_data import chance
from mlm_data.config import PairingSettings
from mlm_data.pairing import lay_end_to_end, make_nsp_pairs, make_sop_pairs
from mlm_data.records import Segments, TokenizedCorpus
from tests.making import random_documents, tokenized

sentence = st.integers(1, 40)
# Few documents make partners scarce, and one of them far too long still more so.
corpora = st.lists(st.lists(sentence, min_size=1, max_size=12), max_size=12) | st.lists(
    st.lists(sentence, min_size=2, max_size=100), min_size=2, max_size=5
)


def corpus_of(sentence_lengths: list[list[int]]) -> TokenizedCorpus:
    rng = np.random.default_rng(0)
    return lay_end_to_end([tokenized(f"d{i}", lengths, rng) for i, lengths in enumerate(sentence_lengths)])


def documents_at(corpus: TokenizedCorpus, places: np.ndarray) -> np.ndarray:
    return np.searchsorted(corpus.sentence_offsets[corpus.document_offsets], places, side="right") - 1


def lengths(pairs: Segments) -> tuple[np.ndarray, np.ndarray]:
    return pairs.a_end - pairs.a_start, pairs.b_end - pairs.b_start


@given(corpora, st.integers(8, 64), st.floats(0, 1), st.integers(0, 2**32))
def test_pairs_keep_every_promise(sentence_lengths, max_seq_length, short_seq_prob, seed):
    corpus = corpus_of(sentence_lengths)
    settings = PairingSettings(max_seq_length=max_seq_length, short_seq_prob=short_seq_prob)
    pairs = make_nsp_pairs(corpus, settings, chance.generator(seed, "test"))

    a_lengths, b_lengths = lengths(pairs)
    assert (a_lengths > 0).all()
    assert (b_lengths > 0).all()
    assert (a_lengths + b_lengths <= max_seq_length - 3).all()
    assert abs(2 * pairs.labels.sum() - len(pairs)) <= len(pairs) % 2

    a_documents, b_documents = documents_at(corpus, pairs.a_start), documents_at(corpus, pairs.b_start)
    assert (a_documents == documents_at(corpus, pairs.a_end - 1)).all()
    assert (b_documents == documents_at(corpus, pairs.b_end - 1)).all()
    assert ((a_documents != b_documents) == (pairs.labels == 1)).all()
    assert (abs(np.bincount(a_documents, 2 * pairs.labels - 1)) <= 1).all()
    follows = pairs.labels == 0
    assert (pairs.a_end[follows] <= pairs.b_start[follows]).all()

    assert not uses_twice(pairs)


def uses_twice(pairs: Segments) -> bool:
    """Whether a token is in two segments."""
    starts = np.concatenate([pairs.a_start, pairs.b_start])
    ends = np.concatenate([pairs.a_end, pairs.b_end])
    order = starts.argsort()
    return bool((ends[order][:-1] > starts[order][1:]).any())


@given(corpora, st.integers(8, 64), st.floats(0, 1), st.integers(0, 2**32))
def test_swapped_pairs_keep_every_promise(sentence_lengths, max_seq_length, short_seq_prob, seed):
    corpus = corpus_of(sentence_lengths)
    settings = PairingSettings(objective="sop", max_seq_length=max_seq_length, short_seq_prob=short_seq_prob)
    pairs = make_sop_pairs(corpus, settings, chance.generator(seed, "test"))

    a_lengths, b_lengths = lengths(pairs)
    assert (a_lengths > 0).all()
    assert (b_lengths > 0).all()
    assert (a_lengths + b_lengths <= max_seq_length - 3).all()
    assert abs(2 * pairs.labels.sum() - len(pairs)) <= len(pairs) % 2
    assert pairs.left_out == 0

    is_swapped = pairs.labels == 1
    assert (pairs.a_end[~is_swapped] <= pairs.b_start[~is_swapped]).all()
    assert (pairs.b_end[is_swapped] <= pairs.a_start[is_swapped]).all()
    places = (pairs.a_start, pairs.a_end - 1, pairs.b_start, pairs.b_end - 1)
    documents = np.stack([documents_at(corpus, place) for place in places])
    assert (documents == documents[0]).all()
    with_pairs = [index for index, sentences in enumerate(sentence_lengths) if len(sentences) > 1]
    assert sorted(set(documents[0].tolist())) == with_pairs
    assert not uses_twice(pairs)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(8, 50))
def test_truncation_gives_the_lengths_of_berts_loop(a_length, b_length, max_seq_length):
    expected = [a_length, b_length]
    while sum(expected) > max_seq_length - 3:
        expected[0 if expected[0] > expected[1] else 1] -= 1

    corpus = corpus_of([[a_length, b_length]] * 8)  # one possible pair in each document
    settings = PairingSettings(max_seq_length=max_seq_length)
    pairs = make_nsp_pairs(corpus, settings, chance.generator(1, "test"))
    assert len(pairs) == 8
    assert {(a, b) for a, b in zip(*map(np.ndarray.tolist, lengths(pairs)), strict=True)} == {tuple(expected)}


def test_truncation_cuts_front_and_back_with_equal_chance():
    corpus = corpus_of([[100, 100]] * 2000)
    pairs = make_nsp_pairs(corpus, PairingSettings(max_seq_length=103), chance.generator(1, "test"))
    cut_in_front = pairs.a_start % 200
    # 50 tokens go, each from the front with probability 1/2: mean 25, variance 12.5.
    assert abs(cut_in_front.mean() - 25) < 5 * np.sqrt(12.5 / 2000)
    assert abs(cut_in_front.var() - 12.5) < 2.5


def test_a_dominant_document_leaves_pairs_out_but_never_the_balance():
    big, small = [5] * 10_000, [[5, 5]] * 30
    pairs = make_nsp_pairs(corpus_of([big, *small]), PairingSettings(), chance.generator(1, "test"))
    of_big = pairs.a_start < sum(big)
    # Half of either has label 1, so that neither tells it.
    assert [(of_big & (pairs.labels == label)).sum() for label in (0, 1)] == [15, 15]
    assert [(~of_big & (pairs.labels == label)).sum() for label in (0, 1)] == [15, 15]
    assert pairs.left_out > 0


def test_one_document_gives_no_pair():
    pairs = make_nsp_pairs(corpus_of([[5] * 50]), PairingSettings(), chance.generator(1, "test"))
    assert len(pairs) == 0


def test_the_odd_token_does_not_tell_which_pairs_are_swapped():
    corpus = corpus_of([[100, 100]] * 2000)
    pairs = make_sop_pairs(corpus, PairingSettings(objective="sop"), chance.generator(1, "test"))
    table = np.zeros((2, 2))
    np.add.at(table, (pairs.labels, lengths(pairs)[0] - 62), 1)  # of 125 tokens, A has 62 or 63
    assert chi2_contingency(table).pvalue > 1e-6
    assert (table.sum(axis=0) > 900).all()


def test_one_long_document_is_gone_through_both_ways():
    # The sentence that ends a chunk tends to be a long one: one way, second segments were almost twice as long.
    sentences = np.random.default_rng(0).choice([5, 60], 40_000, p=[0.8, 0.2]).tolist()
    settings = PairingSettings(objective="sop", max_seq_length=64)
    pairs = make_sop_pairs(corpus_of([sentences]), settings, chance.generator(1, "test"))
    in_order = np.stack(lengths(pairs))
    in_order[:, pairs.labels == 1] = in_order[::-1, pairs.labels == 1]
    first, second = in_order.sum(axis=1)
    assert abs(second / first - 1) < 0.05


MAKERS = {"nsp": make_nsp_pairs, "sop": make_sop_pairs}


@pytest.fixture(scope="module", params=sorted(MAKERS))
def many_pairs(request) -> Segments:
    # Few sentences a document and many sizes of sentence: where the labels of others show most, google-research/bert's
    # because they fall back to random documents, google-research/albert's because second segments are longer.
    corpus = lay_end_to_end(random_documents(12_000, sentences=(2, 14), words=(2, 60)))
    return MAKERS[request.param](corpus, PairingSettings(objective=request.param), chance.generator(7, "test"))


def test_lengths_do_not_tell_the_label(many_pairs):
    a_lengths, b_lengths = lengths(many_pairs)
    for values in (a_lengths, b_lengths, a_lengths + b_lengths):
        bins = np.minimum(values // 6, 20)
        table = np.zeros((2, 21))
        np.add.at(table, (many_pairs.labels, bins), 1)
        assert chi2_contingency(table[:, table.sum(axis=0) > 20]).pvalue > 1e-6


def test_a_probe_on_lengths_is_no_better_than_chance(many_pairs):
    a, b = (values.astype(float) for values in lengths(many_pairs))
    features = np.stack([a, b, a + b, a * b / 100, np.abs(a - b), a > b, a + b == 125], axis=1)
    half = len(many_pairs) // 2
    probe = LogisticRegression(max_iter=1000).fit(features[:half], many_pairs.labels[:half])
    score = roc_auc_score(many_pairs.labels[half:], probe.decision_function(features[half:]))
    assert abs(score - 0.5) < 0.02
