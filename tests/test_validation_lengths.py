"""Shards of several lengths (`--sequence_buckets`) are one dataset, and verified as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from mlm_data.records import EncodedBatch, InstanceBatch
from mlm_data.shards import shard_name, write_shard
from mlm_data.validation import Verification, verify
from tests.datasets import (
    STORAGE,
    Columns,
    Dataset,
    check,
    detail,
    encode_columns,
    not_made,
    violated,
)
from tests.test_validation_records import find_spot, predict_one_less

SLOTS_BY_LENGTH = {32: 5, 64: 10}
Rows = Callable[[InstanceBatch], np.ndarray]


def is_short(batch: InstanceBatch) -> np.ndarray:
    return batch.lengths <= 32


def pad_less(columns: Columns, rows: np.ndarray, length: int) -> Columns:
    """Some records, none longer than so many tokens, padded to these."""
    sizes = {columns["input_mask"].shape[1]: length}
    sizes[columns["masked_lm_positions"].shape[1]] = SLOTS_BY_LENGTH[length]
    return {name: values[rows][:, : sizes.get(values.shape[1])] for name, values in columns.items()}


def divide(dataset: Dataset, is_short: Rows = is_short) -> list[dict[int, Columns]]:
    """The records of each pass over a bucket by their length."""
    parts = []
    for number, batch in enumerate(dataset.batches):
        columns, short = dataset.columns(number), is_short(batch)
        parts.append({32: pad_less(columns, short, 32), 64: pad_less(columns, ~short, 64)})
    return parts


def write(dataset: Dataset, parts: list[dict[int, Columns]]) -> None:
    """Writes a shard for each pass over a bucket and length."""
    for name in dataset.names:
        (dataset.directory / name).unlink(missing_ok=True)
    written = []
    for length in SLOTS_BY_LENGTH:
        for number, part in enumerate(parts):
            name = shard_name("train", number, len(parts), seq_length=length)
            shard = write_shard(STORAGE, str(dataset.directory), name, [EncodedBatch.of(encode_columns(part[length]))])
            written.append(dataclasses.replace(shard, seq_length=length))
    dataset.write_manifest(written, sequence_buckets={str(length): slots for length, slots in SLOTS_BY_LENGTH.items()})


def check_with_tokens(dataset: Dataset) -> Verification:
    return check(dataset, tokens_dir=str(dataset.tokens_dir))


def test_shards_of_several_lengths_are_judged_together(dataset):
    write(dataset, divide(dataset))
    found = check_with_tokens(dataset)
    assert violated(found) == set(), found.summary()
    assert set(not_made(found)) == {"statistics", "documents", "whole words", "word starts"}
    assert "shard lengths" in {one.name for one in found.checks}
    (shares,) = (one for one in found.checks if one.name == "label share by shard")
    assert shares.observed.endswith(" and those of its other lengths")


def test_names_tell_lengths_where_no_manifest_does(dataset):
    write(dataset, divide(dataset, lambda batch: batch.lengths <= 30))
    (dataset.directory / "manifest.json").unlink()
    found = check(dataset)
    assert violated(found) == {"shard lengths"}
    assert "label share by shard" not in not_made(found)


def test_shards_of_one_length_are_judged_by_themselves(dataset):
    write(dataset, divide(dataset))
    found = verify([f"{dataset.directory}/train-seq64-*"], STORAGE, tokens_dir=str(dataset.tokens_dir), processes=1)
    assert violated(found) == set(), found.summary()
    assert not_made(found)["coverage"] == "shards of some lengths were not asked for"


def move_a_record(parts: list[dict[int, Columns]]) -> None:
    """A short record among the long ones, padded as these are."""
    record = {name: values[:1] for name, values in parts[3][32].items()}
    parts[3][32] = {name: values[1:] for name, values in parts[3][32].items()}
    for name, values in record.items():
        size = parts[3][64][name].shape[1]
        padded = np.pad(values, ((0, 0), (0, size - values.shape[1])))
        parts[3][64][name] = np.concatenate([parts[3][64][name], padded])


def flip_a_label(parts: list[dict[int, Columns]]) -> None:
    """Twice, so that it is no odd number's smaller half."""
    labels = parts[3][32]["next_sentence_labels"][:, 0]
    labels[np.flatnonzero(labels == 0)[:2]] = 1


def flip_labels_across(parts: list[dict[int, Columns]]) -> None:
    """As many of the long pairs as of the short ones, so that half of all stay 1."""
    for length, label in ((32, 0), (64, 1)):
        labels = parts[3][length]["next_sentence_labels"][:, 0]
        labels[np.flatnonzero(labels == label)[:3]] ^= 1


def predict_less(parts: list[dict[int, Columns]]) -> None:
    predict_one_less(parts[3][64], find_spot(parts[3][64]))


def lose_a_length(parts: list[dict[int, Columns]]) -> None:
    """The short records of all passes."""
    for part in parts:
        part[32] = {name: values[:0] for name, values in part[32].items()}


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (move_a_record, {"shard lengths"}),
        (flip_a_label, {"label share by shard", "label 1 is true"}),
        (flip_labels_across, {"label 0 is true", "label 1 is true"}),
        (predict_less, {"number of predictions"}),
        (lose_a_length, {"coverage", "label share by shard"}),
    ],
)
def test_what_is_spoilt_in_one_length_is_caught(dataset, spoil, names):
    parts = divide(dataset)
    spoil(parts)
    write(dataset, parts)
    assert violated(check_with_tokens(dataset)) == names


def test_a_record_in_a_shard_of_the_wrong_length_is_placed(dataset):
    write(dataset, divide(dataset, lambda batch: batch.lengths <= 30))
    assert detail(check(dataset), "shard lengths").startswith("first: train-seq64-0000")


def test_a_record_padded_to_another_length_than_its_shard_is_placed(dataset):
    parts = divide(dataset)
    write(dataset, parts)
    name = shard_name("train", 3, len(parts), seq_length=32)
    records = encode_columns(parts[3][32])
    records[4] = encode_columns({one: values[:1] for one, values in parts[3][64].items()})[0]
    write_shard(STORAGE, str(dataset.directory), name, [EncodedBatch.of(records)])
    found = check(dataset)
    assert {"features", "manifest"} <= violated(found)
    assert detail(found, "features") == f"first: {name}:4"
