"""At par with google-research/bert: the law of its script, told apart from a plain oracle by no test, biases included."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2_contingency, chisquare, ks_2samp

from mlm_data import chance
from mlm_data.config import MaskingSettings, PairingSettings
from mlm_data.dataset_card import render_card
from mlm_data.instances import gather_instances
from mlm_data.masking import mask_tokens
from mlm_data.pairing import lay_end_to_end, make_bert_pairs, make_nsp_pairs, make_segments
from mlm_data.records import Segments, TokenizedCorpus
from mlm_data.report import render_report
from mlm_data.statistics import InstanceStatistics
from mlm_data.summary import instance_rows
from tests.finished import VOCABULARY, finished_dataset
from tests.making import tokenized

ALPHA = 1e-6
ROOM = 61
SETTINGS = PairingSettings(parity="bert", max_seq_length=ROOM + 3, short_seq_prob=0.3)
corpora = st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=12), min_size=1, max_size=12)


def corpus_of(sentence_lengths: list[list[int]]) -> TokenizedCorpus:
    rng = np.random.default_rng(0)
    return lay_end_to_end([tokenized(f"d{i}", lengths, rng) for i, lengths in enumerate(sentence_lengths)])


def documents_at(corpus: TokenizedCorpus, places: np.ndarray) -> np.ndarray:
    return np.searchsorted(corpus.sentence_offsets[corpus.document_offsets], places, side="right") - 1


@dataclass
class OraclePair:
    """Tokens are numbers: where they stand in the corpus."""

    a: list[int]
    b: list[int]
    is_random: bool


def oracle(
    documents: list[list[list[int]]], number: int, short_seq_prob: float, dice: random.Random
) -> list[OraclePair]:
    """The published loop over one document, on lists of tokens, as slow as it was."""
    goal = dice.randint(2, ROOM) if dice.random() < short_seq_prob else ROOM
    left, chunk, pairs = list(documents[number]), [], []
    while left:
        chunk.append(left.pop(0))
        if left and sum(map(len, chunk)) < goal:
            continue
        cut = dice.randint(1, len(chunk) - 1) if len(chunk) > 1 else 1
        a, rest = sum(chunk[:cut], []), chunk[cut:]
        is_random = not rest or dice.random() < 0.5
        if is_random:
            tries = (dice.randrange(len(documents)) for _ in range(10))
            source = documents[next((other for other in tries if other != number), number)]
            b: list[int] = []
            for sentence in source[dice.randrange(len(source)) :]:
                b += sentence
                if len(b) >= goal - len(a):
                    break
            left = rest + left
        else:
            b = sum(rest, [])
        while len(a) + len(b) > ROOM:
            longer = a if len(a) > len(b) else b
            longer.pop(0 if dice.random() < 0.5 else -1)
        pairs.append(OraclePair(a, b, is_random))
        chunk = []
    return pairs


def columns_of(corpus: TokenizedCorpus, pairs: Segments) -> dict[str, np.ndarray]:
    """What the law decides of each pair, where text is from and how far from its document's beginning too."""
    starts = corpus.sentence_offsets[corpus.document_offsets]
    a_document, b_document = documents_at(corpus, pairs.a_start), documents_at(corpus, pairs.b_start)
    return {
        "length": pairs.a_end - pairs.a_start + pairs.b_end - pairs.b_start,
        "a_length": pairs.a_end - pairs.a_start,
        "b_length": pairs.b_end - pairs.b_start,
        "a_place": pairs.a_start - starts[a_document],
        "b_place": pairs.b_start - starts[b_document],
        "a_document": a_document,
        "b_document": b_document,
        "label": pairs.labels,
        "own_document": (a_document == b_document).astype(int),
    }


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """One pair of each of many passes, so that all are independent, as ours and as the oracle makes them."""
    lengths = np.random.default_rng(1)
    corpus = corpus_of([lengths.integers(1, 40, size).tolist() for size in (1, 2, 3, 5, 9, 17, 30)])
    tokens_at, documents_at_sentence = corpus.sentence_offsets.tolist(), corpus.document_offsets.tolist()
    sentences = [list(range(*pair)) for pair in zip(tokens_at, tokens_at[1:], strict=False)]
    documents = [
        sentences[start:end] for start, end in zip(documents_at_sentence, documents_at_sentence[1:], strict=False)
    ]
    rng, dice = chance.generator(2, "test"), random.Random(3)
    ours, theirs = [], []
    for _ in range(6000):
        ours.append(make_bert_pairs(corpus, SETTINGS, rng).take(slice(1)))
        made = [pair for number in range(len(documents)) for pair in oracle(documents, number, 0.3, dice)]
        theirs.append(dice.choice(made))
    first = ours[0]
    ranges = (
        np.concatenate([getattr(pairs, name) for pairs in ours]) for name in ("a_start", "a_end", "b_start", "b_end")
    )
    own = Segments(first.ids, *ranges, np.concatenate([pairs.labels for pairs in ours]))
    bounds = np.array([(p.a[0], p.a[-1] + 1, p.b[0], p.b[-1] + 1) for p in theirs]).T
    expected = Segments(first.ids, *bounds, np.array([int(pair.is_random) for pair in theirs]))
    return columns_of(corpus, own), columns_of(corpus, expected)


def test_no_test_tells_it_from_the_published_loop(both):
    ours, theirs = both
    for name in ("length", "a_length", "b_length", "a_place", "b_place"):
        assert ks_2samp(ours[name], theirs[name]).pvalue > ALPHA, name
        for label in (0, 1):
            of_label = (sample[name][sample["label"] == label] for sample in (ours, theirs))
            assert ks_2samp(*of_label).pvalue > ALPHA, (name, label)
    for name in ("a_document", "b_document", "label"):
        table = np.stack([np.bincount(sample[name]) for sample in (ours, theirs)])
        assert chi2_contingency(table).pvalue > ALPHA, name
    assert (theirs["label"].mean() > 0.55) == (ours["label"].mean() > 0.55) == True  # noqa: E712
