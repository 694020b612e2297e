"""Room 5, objective mlm: instances of one segment hold all text once, and hardly any padding."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlm_data import chance
from mlm_data.config import PairingSettings
from mlm_data.pairing import lay_end_to_end, pack_sentences
from mlm_data.records import TokenizedDocument
from tests.making import random_documents

SEP = 0
FIRST = 1

# Many short documents, few long ones, sentences longer than any instance.
corpora = st.lists(st.lists(st.integers(1, 8) | st.integers(1, 90), min_size=1, max_size=12), max_size=12)
packings = st.sampled_from(["full_sentences", "doc_sentences"])


def packed(sentence_lengths: list[list[int]], packing: str, max_seq_length: int, seed: int = 0) -> list[list[int]]:
    """The ids of each instance. Those of the corpus count up from 1, so that each says where it is from."""
    documents, first = [], FIRST
    for index, lengths in enumerate(sentence_lengths):
        offsets = np.cumsum([0, *lengths]).astype(np.uint32)
        ids = np.arange(first, first := first + sum(lengths), dtype=np.uint32)
        documents.append(TokenizedDocument(bytes(16), "", index, ids, offsets))
    settings = PairingSettings(objective="mlm", mlm_packing=packing, max_seq_length=max_seq_length)
    segments = pack_sentences(lay_end_to_end(documents), settings, SEP, chance.generator(seed, "test"))
    assert (segments.b_start == segments.b_end).all()
    assert not segments.labels.any()
    return [segments.ids[start:end].tolist() for start, end in zip(segments.a_start, segments.a_end, strict=True)]


def starts_of(sentence_lengths: list[list[int]]) -> tuple[set[int], set[int]]:
    """The first ids of documents, and those of sentences."""
    totals = [sum(lengths) for lengths in sentence_lengths]
    flat = [length for lengths in sentence_lengths for length in lengths]
    return {FIRST + int(n) for n in np.cumsum([0, *totals])}, {FIRST + int(n) for n in np.cumsum([0, *flat])}


@given(corpora, packings, st.integers(8, 64), st.integers(0, 2**32))
def test_every_token_is_in_one_instance_and_sep_stands_where_documents_meet(
    sentence_lengths, packing, max_seq_length, seed
):
    instances = packed(sentence_lengths, packing, max_seq_length, seed)
    assert all(1 <= len(ids) <= max_seq_length - 2 for ids in instances)
    total = sum(map(sum, sentence_lengths))
    assert sorted(token for ids in instances for token in ids if token != SEP) == list(range(FIRST, FIRST + total))

    document_starts, _ = starts_of(sentence_lengths)
    for ids in instances:
        assert SEP not in (ids[0], ids[-1])
        assert packing == "full_sentences" or SEP not in ids
        for token, following in pairwise(ids):
            if following == SEP:
                assert token + 1 in document_starts
            elif token == SEP:
                assert following in document_starts
            else:
                assert following == token + 1
                assert following not in document_starts


@given(corpora, packings, st.integers(8, 64), st.integers(0, 2**32))
def test_only_sentences_longer_than_an_instance_are_cut(sentence_lengths, packing, max_seq_length, seed):
    _, sentence_starts = starts_of(sentence_lengths)
    flat = [length for lengths in sentence_lengths for length in lengths]
    lengths = np.repeat(flat, flat)
    for ids in packed(sentence_lengths, packing, max_seq_length, seed):
        assert ids[0] in sentence_starts or lengths[ids[0] - FIRST] > max_seq_length - 2
        assert ids[-1] + 1 in sentence_starts or lengths[ids[-1] - FIRST] > max_seq_length - 2


@given(corpora, st.integers(8, 64), st.integers(0, 2**32))
def test_no_document_could_fill_fewer_instances(sentence_lengths, max_seq_length, seed):
    room = max_seq_length - 2
    expected = 0
    for lengths in sentence_lengths:
        left = 0
        for length in lengths:
            if length <= room:
                expected += length > left
                left = left - length if length <= left else room - length
            else:
                expected += -(-(length - left) // room)
                left = (left - length) % room
    assert len(packed(sentence_lengths, "doc_sentences", max_seq_length, seed)) == expected


@pytest.mark.parametrize("packing", ["full_sentences", "doc_sentences"])
def test_passes_cut_a_long_document_differently(packing):
    lengths = np.random.default_rng(0).integers(1, 50, 5000).tolist()
    one, other, again = ({tuple(ids) for ids in packed([lengths], packing, 128, seed)} for seed in (1, 2, 1))
    assert len(one & other) < 0.65 * len(one)  # filled one after the other, 99 % soon are the same
    assert one == again


def test_documents_meet_others_in_each_pass():
    documents = random_documents(200, sentences=(1, 2), words=(3, 10))
    settings = PairingSettings(objective="mlm", max_seq_length=128)

    def instances(seed: int) -> set[bytes]:
        made = pack_sentences(lay_end_to_end(documents), settings, SEP, chance.generator(seed, "test"))
        return {made.ids[start:end].tobytes() for start, end in zip(made.a_start, made.a_end, strict=True)}

    assert not instances(1) & instances(2)
