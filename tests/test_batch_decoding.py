"""Batches of records are decoded as each record is by itself, whoever wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlm_data.examples import BERT_FEATURES, RecordError, decode_batch, decode_example, encode_batch, feature_values
from mlm_data.examples.decoding import _EXAMPLE_CLASS
from tests.datasets import make_settings, masked_batches, plain_batches
from tests.making import random_documents

integers = st.integers(0, 300) | st.integers(0, 2**29) | st.integers(-(2**63), 2**63 - 1)
values = (
    st.lists(integers, max_size=5)
    | st.lists(st.floats(width=32, allow_nan=False), max_size=5)
    | st.lists(st.binary(max_size=4), max_size=2)
)
names = st.sampled_from(["a", "b", "input_ids", "ä" * 70, "z" * 200])


def serialize(features: Mapping[str, Sequence[Any]]) -> bytes:
    message = _EXAMPLE_CLASS()
    for name, items in features.items():
        feature = message.features.feature[name]
        kinds = {int: feature.int64_list, float: feature.float_list, bytes: feature.bytes_list}
        kinds[type(items[0]) if items else int].value.extend(items)
    return message.SerializeToString()


def some_record(rng: np.random.Generator) -> bytes:
    """As many values as any other has, of one to three bytes each, in the order of a dictionary."""
    ids = (10 ** rng.uniform(0, rng.choice([1, 5]), 70)).astype(int).tolist()
    features = {"input_ids": ids, "weights": rng.random(9).tolist(), "positions": rng.integers(0, 200, 9).tolist()}
    return serialize({name: features[name] for name in rng.permutation(sorted(features))})


strange_records = st.dictionaries(names, values, max_size=4).map(serialize)
like_ours = st.integers(0, 2**32).map(np.random.default_rng).map(some_record)


def check_as_single(records: Sequence[bytes]) -> None:
    """Compares a batch, its records between other bytes as they are in a file, with its records one by one."""
    ends = np.cumsum([len(record) + 16 for record in records], dtype=np.int64) - 4
    starts = ends - [len(record) for record in records]
    decoded = decode_batch(b"".join(12 * b"\xff" + record + 4 * b"\xff" for record in records), starts, ends)
    rows = [row for group in decoded.groups for row in group.rows.tolist()]
    assert sorted([*rows, *decoded.failures]) == list(range(len(records)))
    for group in decoded.groups:
        assert sorted(group.rows.tolist()) == group.rows.tolist()
        for place, row in enumerate(group.rows.tolist()):
            single = decode_example(records[row])
            assert group.columns.keys() == single.keys()
            for name, column in group.columns.items():
                assert column[place].tolist() == single[name].tolist()
                assert (column.dtype.kind in "ui") == (single[name].dtype.kind == "i")
    for row in decoded.failures:
        with pytest.raises(RecordError):
            decode_example(records[row])


@given(st.lists(strange_records | like_ours | st.binary(max_size=30), max_size=12))
def test_any_records_are_decoded_as_if_alone(records):
    check_as_single(records)


@given(st.lists(like_ours, min_size=1, max_size=30), st.data())
def test_damage_to_one_record_spoils_no_other(records, data):
    row = data.draw(st.integers(0, len(records) - 1))
    damaged = bytearray(records[row])
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(damaged)) | st.just(len(damaged)))
    check_as_single([*records[:row], bytes(damaged[:cut]), *records[row + 1 :]])


def test_values_that_are_not_packed_are_read_too():
    packed = serialize({"a": [1, 2]})
    unpacked = b"\x0a\x0d\x0a\x0b\x0a\x01a\x12\x06\x1a\x04\x08\x01\x08\x02"
    assert decode_example(unpacked)["a"].tolist() == [1, 2]
    check_as_single([packed, unpacked, packed])


@pytest.mark.parametrize("feature_names", ["v1", "v2"])
@pytest.mark.parametrize("width", [32, 64, 300])
def test_records_of_ours_come_as_one_group_of_narrow_integers(feature_names, width):
    settings = make_settings(max_seq_length=width)
    documents = random_documents(40, sentences=(2, 30), words=(1, 40))
    (batch, *_) = masked_batches(settings, plain_batches(settings, documents))
    encoded, expected = encode_batch(batch, feature_names), feature_values(batch)
    (group,) = decode_batch(encoded.data, encoded.starts, encoded.ends).groups
    for feature in BERT_FEATURES:
        column = group.columns[feature.name(feature_names)]
        assert column.tolist() == expected[feature.v2].tolist()
        assert column.dtype in (np.uint8, np.uint32, np.float32)
