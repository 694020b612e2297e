"""At par with google-research/bert: no test tells pairs from those of its published loop, biases included."""

from __future__ import annotations

import itertools
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
from mlm_data.manifest import Manifest
from mlm_data.masking import mask_tokens
from mlm_data.pairing import lay_end_to_end, make_bert_pairs, make_nsp_pairs, make_segments
from mlm_data.records import Segments, TokenizedCorpus
from mlm_data.report import render_report
from mlm_data.statistics import InstanceStatistics
from mlm_data.summary import instance_rows
from tests.finished import VOCABULARY, finished_dataset
from tests.making import random_documents, tokenized

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


def oracle(documents: list[list[list[int]]], number: int, dice: random.Random) -> list[OraclePair]:
    """The published loop over one document, on lists of tokens, as slow as it was."""
    goal = dice.randint(2, ROOM) if dice.random() < SETTINGS.short_seq_prob else ROOM
    left, chunk, pairs = list(documents[number]), [], []
    while left:
        chunk.append(left.pop(0))
        if left and sum(map(len, chunk)) < goal:
            continue
        cut = dice.randint(1, len(chunk) - 1) if len(chunk) > 1 else 1
        a, rest = [*itertools.chain(*chunk[:cut])], chunk[cut:]
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
            b = [*itertools.chain(*rest)]
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
    }


def passes_of_the_script(documents: list[list[list[int]]], passes: int, dice: random.Random) -> list[list[OraclePair]]:
    return [
        [pair for number in range(len(documents)) for pair in oracle(documents, number, dice)] for _ in range(passes)
    ]


def joined(parts: list[Segments]) -> Segments:
    names = ("a_start", "a_end", "b_start", "b_end", "labels")
    return Segments(parts[0].ids, *(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def bounds_of(pair: OraclePair) -> tuple[int, int, int, int, int]:
    return pair.a[0], pair.a[-1] + 1, pair.b[0], pair.b[-1] + 1, int(pair.is_random)


def test_no_test_tells_it_from_the_published_loop():
    # Pairs of a pass depend on one another, their target above all: of each of many passes one is taken.
    lengths = np.random.default_rng(1)
    corpus = corpus_of([lengths.integers(1, 40, size).tolist() for size in (1, 2, 3, 5, 9, 17, 30)])
    sentences = [list(range(*bounds)) for bounds in itertools.pairwise(corpus.sentence_offsets.tolist())]
    documents = [sentences[slice(*bounds)] for bounds in itertools.pairwise(corpus.document_offsets.tolist())]

    rng, dice = chance.generator(2, "test"), random.Random(3)
    our_passes = [make_bert_pairs(corpus, SETTINGS, rng) for _ in range(3000)]
    their_passes = passes_of_the_script(documents, 3000, dice)
    assert ks_2samp([*map(len, our_passes)], [*map(len, their_passes)]).pvalue > ALPHA

    drawn = [bounds_of(dice.choice(pairs)) for pairs in their_passes]
    ours = columns_of(corpus, joined([pairs.take(slice(1)) for pairs in our_passes]))
    theirs = columns_of(corpus, Segments(corpus.ids, *np.array(drawn).T))
    for name in ("length", "a_length", "b_length", "a_place", "b_place"):
        assert ks_2samp(ours[name], theirs[name]).pvalue > ALPHA, name
        for label in (0, 1):
            of_label = [sample[name][sample["label"] == label] for sample in (ours, theirs)]
            assert ks_2samp(*of_label).pvalue > ALPHA, (name, label)
    for name in ("a_document", "b_document", "label"):
        table = np.stack([np.bincount(sample[name]) for sample in (ours, theirs)])
        assert chi2_contingency(table).pvalue > ALPHA, name

    # These tests can tell: the pairs that this program makes by its own law differ.
    balanced = joined([make_nsp_pairs(corpus, SETTINGS, rng).take(slice(1)) for _ in range(9000)])
    other = columns_of(corpus, balanced)
    assert ks_2samp(other["label"], theirs["label"]).pvalue < ALPHA
    assert ks_2samp(other["length"], theirs["length"]).pvalue < ALPHA


@given(corpora, st.integers(8, 64), st.floats(0, 1), st.integers(0, 2**32))
def test_pairs_are_of_the_kind_their_label_says(sentence_lengths, max_seq_length, short_seq_prob, seed):
    corpus = corpus_of(sentence_lengths)
    settings = PairingSettings(parity="bert", max_seq_length=max_seq_length, short_seq_prob=short_seq_prob)
    pairs = make_segments(corpus, settings, VOCABULARY.sep_id, chance.generator(seed, "test"))

    columns = columns_of(corpus, pairs)
    assert (columns["a_length"] > 0).all()
    assert (columns["b_length"] > 0).all()
    assert (columns["length"] <= max_seq_length - 3).all()
    assert (columns["a_document"] == documents_at(corpus, pairs.a_end - 1)).all()
    assert (columns["b_document"] == documents_at(corpus, pairs.b_end - 1)).all()
    follows = pairs.labels == 0
    assert (columns["a_document"] == columns["b_document"])[follows].all()
    assert (pairs.a_end <= pairs.b_start)[follows].all()
    assert set(columns["a_document"].tolist()) == set(range(len(sentence_lengths)))
    single = [number for number, lengths in enumerate(sentence_lengths) if len(lengths) == 1]
    of_single = np.isin(columns["a_document"], single)
    assert of_single.sum() == len(single)
    assert pairs.labels[of_single].all()


def test_no_document_gives_no_pair():
    assert len(make_bert_pairs(corpus_of([]), SETTINGS, chance.generator(1, "test"))) == 0


@pytest.mark.parametrize(("documents", "own"), [(1, 1.0), (2, 2.0**-10)])
def test_ten_draws_in_vain_leave_a_random_pair_with_its_own_document(documents, own):
    corpus = corpus_of([[5] * 60_000] * documents)
    pairs = make_bert_pairs(corpus, SETTINGS, chance.generator(1, "test"))
    columns = columns_of(corpus, pairs)
    is_own = (columns["a_document"] == columns["b_document"])[pairs.labels == 1]
    assert len(is_own) > 2_500
    assert binomtest(int(is_own.sum()), len(is_own), own).pvalue > ALPHA


def test_random_tokens_are_uniform_over_the_whole_vocabulary_and_all_else_is_as_ever():
    settings = PairingSettings()
    corpus = lay_end_to_end(random_documents(2000, sentences=(2, 20), words=(1, 40)))
    segments = make_segments(corpus, settings, VOCABULARY.sep_id, chance.generator(1, "pair"))
    before = gather_instances(segments, VOCABULARY, settings.max_seq_length)
    masking = MaskingSettings(max_predictions_per_seq=20, mask_token_prob=0.0, random_token_prob=1.0)
    plain, at_par = (
        mask_tokens(before, masking, VOCABULARY, chance.generator(1, "mask"), parity) for parity in ("none", "bert")
    )
    assert (plain.masked_lm_positions == at_par.masked_lm_positions).all()
    assert (plain.masked_lm_ids == at_par.masked_lm_ids).all()

    used = np.arange(20) < at_par.masked_lm_counts[:, None]
    drawn = np.take_along_axis(at_par.input_word_ids, at_par.masked_lm_positions, axis=1)[used]
    counts = np.bincount(drawn, minlength=len(VOCABULARY))
    assert chisquare(counts).pvalue > ALPHA
    assert counts[VOCABULARY.sep_id] > 0
    # A drawn [SEP] is a token that could be predicted, and no separator.
    counted = [InstanceStatistics.of(batch, VOCABULARY) for batch in (plain, at_par)]
    assert (counted[0].candidates == counted[1].candidates).all()


def test_what_lies_beside_the_shards_says_what_holds():
    dataset = finished_dataset(documents=400, parity="bert")
    assert Manifest.from_json(dataset.manifest.to_json()) == dataset.manifest
    assert dataset.manifest.parity == "bert"
    assert "unless ten draws found none" in dataset.manifest.label_meanings["1"]

    rows = {row.label: row.values[-1] for row in instance_rows(dataset.manifest, dataset.settings, dataset.instances)}
    assert rows["random pairs (label 1)"] == "50%, and all of one sentence"
    assert rows["now another token"] == "10%, any of the vocabulary"
    assert "pairs left out, no partner to be had" not in rows

    card, report = (" ".join(render(*dataset.parts).split()) for render in (render_card, render_report))
    assert "--parity bert" in card
    assert "lengths betray the label" in card
    assert "A document of one sentence has no pair to give" not in card
    assert "the label can be guessed" in report
    assert "The line should run along the edge" not in report
