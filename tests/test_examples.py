"""Room 7: what is encoded is decoded, whatever the numbers. That the bytes are TensorFlow's: see test_tensorflow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_data.examples import FEATURES, RecordError, decode_example, encode_batch, feature_values, features_of
from mlm_data.records import InstanceBatch


@st.composite
def batches(draw: st.DrawFn) -> InstanceBatch:
    """Batches with ids of one, two, three and four bytes, and lengths on both sides of 127 bytes."""
    rows, width, slots = draw(st.integers(1, 4)), draw(st.sampled_from([8, 60, 128, 300])), draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    largest = draw(st.sampled_from([2, 127, 128, 16_383, 16_384, 119_546, 2_500_000]))
    lengths = rng.integers(5, width + 1, rows)
    return InstanceBatch(
        input_word_ids=rng.integers(0, largest + 1, (rows, width)).astype(np.int32),
        lengths=lengths.astype(np.int32),
        a_lengths=rng.integers(3, lengths - 1).astype(np.int32),
        masked_lm_positions=rng.integers(0, width, (rows, slots)).astype(np.int32),
        masked_lm_ids=rng.integers(0, largest + 1, (rows, slots)).astype(np.int32),
        masked_lm_counts=rng.integers(1, slots + 1, rows).astype(np.int32),
        next_sentence_labels=rng.integers(0, 2, rows),
        input_word_starts=rng.random((rows, width)) < 0.5,
    )


@settings(deadline=None)  # the first batch of a kind makes a table
@given(batches(), st.sampled_from(["v1", "v2"]), st.sampled_from(["nsp", "mlm"]), st.sampled_from(["token", "none"]))
def test_what_is_encoded_is_decoded(batch, feature_names, objective, masking):
    values, features = feature_values(batch), features_of(objective, masking)
    for row, record in enumerate(encode_batch(batch, feature_names, features).records()):
        decoded = decode_example(record)
        assert decoded.keys() == {feature.name(feature_names) for feature in features}
        for feature in features:
            found = decoded[feature.name(feature_names)]
            assert found.dtype == feature.dtype
            assert found.tolist() == values[feature.v2][row].tolist()


def test_records_have_labels_by_their_objective_and_masks_or_word_starts():
    masks = {"masked_lm_positions", "masked_lm_ids", "masked_lm_weights"}
    for objective, masking, absent in [
        ("nsp", "token", {"input_word_starts"}),
        ("sop", "span", {"input_word_starts"}),
        ("mlm", "token", {"input_word_starts", "next_sentence_labels"}),
        ("sop", "none", masks),
        ("mlm", "none", {"next_sentence_labels"} | masks),
    ]:
        assert {feature.v2 for feature in set(FEATURES) - set(features_of(objective, masking))} == absent


def test_derived_features_follow_the_record_contract():
    batch = InstanceBatch(
        input_word_ids=np.array([[101, 7, 102, 8, 9, 102, 0, 0]], np.int32),
        lengths=np.array([6], np.int32),
        a_lengths=np.array([3], np.int32),
        masked_lm_positions=np.array([[4, 0]], np.int32),
        masked_lm_ids=np.array([[9, 0]], np.int32),
        masked_lm_counts=np.array([1], np.int32),
        next_sentence_labels=np.array([1]),
    )
    values = {name: value[0].tolist() for name, value in feature_values(batch).items()}
    assert values["input_mask"] == [1, 1, 1, 1, 1, 1, 0, 0]
    assert values["input_type_ids"] == [0, 0, 0, 1, 1, 1, 0, 0]
    assert values["masked_lm_weights"] == [1.0, 0.0]
    assert values["next_sentence_labels"] == [1]


@pytest.mark.parametrize("record", [b"\xff", b"\x0a\x05abc", b"no record at all"])
def test_other_bytes_are_refused(record):
    with pytest.raises(RecordError, match=r"no tf\.train\.Example"):
        decode_example(record)
