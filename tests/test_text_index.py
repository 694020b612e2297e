"""Segments are found where they are, and true pairs are never called false, however often texts repeat."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_data import chance
from mlm_data.config import PairingSettings
from mlm_data.examples import feature_values
from mlm_data.instances import gather_instances
from mlm_data.pairing import lay_end_to_end, make_nsp_pairs
from mlm_data.records import TokenizedDocument
from mlm_data.validation.corpus_checks import BucketText
from mlm_data.validation.instances import Instances, Traits
from mlm_data.validation.text_index import Segments, TextIndex
from tests.datasets import VOCABULARY
from tests.making import FIRST_ORDINARY, tokenized

sentence_lengths = st.lists(st.integers(1, 25), min_size=2, max_size=15)
corpora = st.lists(sentence_lengths, min_size=2, max_size=8)


def repetitive_documents(lengths: list[list[int]], kinds: int, seed: int) -> list[TokenizedDocument]:
    """Documents of few kinds of tokens, so that the same text stands in many places."""
    rng = np.random.default_rng(seed)
    documents = [tokenized(f"d{number}", some, rng) for number, some in enumerate(lengths)]
    return [dataclasses.replace(document, ids=FIRST_ORDINARY + document.ids % kinds) for document in documents]


@settings(max_examples=50)
@given(corpora, st.sampled_from([1, 2, 5, 400]), st.integers(5, 40), st.integers(0, 2**32))
def test_the_next_place_of_a_segment_is_found(lengths, kinds, room, seed):
    rng = np.random.default_rng(seed)
    documents = repetitive_documents(lengths, kinds, seed)
    text = np.concatenate([document.ids for document in documents]).astype(np.uint32)
    index = TextIndex(documents, room)
    starts, ends = np.sort(rng.choice(index.sentence_starts, (2, 20)), axis=0)
    sizes = np.clip(ends - starts, 1, room)
    # What is shorter than half of an instance is whole sentences.
    kept = (sizes == ends - starts) | (sizes >= room // 2)
    segments = Segments(np.concatenate([text, np.zeros(room, np.uint32)]), starts[kept], sizes[kept], room)
    sought = index.seek(segments)
    limits = rng.integers(0, len(text), len(segments))
    found_after, found_before = index.find_from(sought, limits), index.find_up_to(sought, limits)
    for number, (start, size, limit) in enumerate(zip(starts[kept], sizes[kept], limits, strict=True)):
        here = [place for place in range(len(text) - size + 1) if (text[place:][:size] == text[start:][:size]).all()]
        if size < min(8, room // 2):
            here = [place for place in here if {place, place + size} <= set(index.sentence_starts.tolist())]
        assert found_after[number] == min((place for place in here if place >= limit), default=-1)
        assert found_before[number] == max((place for place in here if place <= limit), default=-1)


def unmasked(documents: list[TokenizedDocument], pairing: PairingSettings, seed: int) -> tuple[Instances, int]:
    """The pairs of some documents, before masking, and how many were left out."""
    corpus = lay_end_to_end(documents)
    pairs = make_nsp_pairs(corpus, pairing, chance.generator(seed, "pair"))
    values = feature_values(gather_instances(pairs, VOCABULARY, pairing.max_seq_length))
    text = {name: column for name, column in values.items() if "masked" not in name}
    return Instances(text, Traits.of(VOCABULARY)), pairs.left_out


@settings(max_examples=50)
@given(corpora, st.sampled_from([1, 2, 5, 400]), st.integers(8, 64), st.floats(0, 1), st.integers(0, 2**32))
def test_true_pairs_are_never_called_false(lengths, kinds, width, short_seq_prob, seed):
    documents = repetitive_documents(lengths, kinds, seed)
    records, left_out = unmasked(documents, PairingSettings(max_seq_length=width, short_seq_prob=short_seq_prob), seed)
    text = BucketText(documents, width, is_swapped=False)
    text.note(records)
    assert not any(flags.any() for flags in text.find_false(records).values())
    assert text.coverage().missing == () or left_out


@pytest.mark.parametrize("lengths", [[[4, 3, 5, 2, 6]] * 6, [[30, 40, 2, 50]] * 6])
def test_false_pairs_are_called_so_where_no_text_repeats(lengths):
    documents = repetitive_documents(lengths, 400, 0)
    records, _ = unmasked(documents, PairingSettings(max_seq_length=64), 0)
    otherwise = Instances(
        records.values | {"next_sentence_labels": 1 - records.values["next_sentence_labels"]}, records.vocabulary
    )
    false = BucketText(documents, 64, is_swapped=False).find_false(otherwise)
    assert np.logical_or.reduce(list(false.values())).all()
