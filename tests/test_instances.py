"""Rows are what their ranges say, wherever in the corpus they lie."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlm_data.instances import gather_instances, split_by_length
from mlm_data.records import Segments
from mlm_data.vocabulary import Vocabulary
from tests.making import vocabulary_content

VOCABULARY = Vocabulary.parse(vocabulary_content(), "vocab.txt")


@st.composite
def segments(draw: st.DrawFn) -> Segments:
    """Ranges anywhere in corpora shorter and longer than a row, with and without B."""
    tokens = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    start = rng.integers(0, tokens, (2, 6))
    end = start + rng.integers(1, np.minimum(tokens - start, 6) + 1)
    end[1] = np.where(rng.random(6) < 0.3, start[1], end[1])
    ids = rng.integers(200, 250, tokens).astype(np.uint16)
    return Segments(ids, start[0], end[0], start[1], end[1], np.zeros(6, np.int64))


@given(segments())
def test_rows_are_what_their_ranges_say(segments):
    batch = gather_instances(segments, VOCABULARY, 16)
    ranges = zip(segments.a_start, segments.a_end, segments.b_start, segments.b_end, strict=True)
    for row, (a_start, a_end, b_start, b_end) in enumerate(ranges):
        a, b = segments.ids[a_start:a_end].tolist(), segments.ids[b_start:b_end].tolist()
        expected = [VOCABULARY.cls_id, *a, VOCABULARY.sep_id, *([*b, VOCABULARY.sep_id] if b else [])]
        assert batch.a_lengths[row] == len(a) + 2
        assert batch.lengths[row] == len(expected)
        assert batch.input_word_ids[row].tolist() == expected + [VOCABULARY.pad_id] * (16 - len(expected))


@given(segments(), st.sets(st.integers(3, 14)))
def test_instances_go_to_the_shortest_length_that_holds_them(segments, shorter):
    lengths = [*sorted(shorter), 16]
    whole = gather_instances(segments, VOCABULARY, 16)
    holding = [min(length for length in lengths if length >= tokens) for tokens in whole.lengths]
    for length, those in split_by_length(segments, lengths):
        rows = [row for row, found in enumerate(holding) if found == length]
        batch = gather_instances(those, VOCABULARY, length)
        assert batch.input_word_ids.tolist() == whole.input_word_ids[rows, :length].tolist()
