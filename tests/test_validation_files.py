"""Files that are damaged, missing, repeated or other than they are said to be."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlm_data.examples import encode_batch
from mlm_data.records import EncodedBatch
from mlm_data.shards import shard_name, write_shard
from mlm_data.statistics import DocumentStatistics, InstanceStatistics
from mlm_data.validation import verify
from tests.datasets import (
    STORAGE,
    VOCABULARY,
    Dataset,
    check,
    detail,
    encode_columns,
    not_made,
    swap_records,
    violated,
)


def flip_a_byte(dataset: Dataset) -> None:
    path = dataset.directory / dataset.names[3]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_a_file(dataset: Dataset) -> None:
    path = dataset.directory / dataset.names[3]
    path.write_bytes(path.read_bytes()[:-5])


def lose_a_shard(dataset: Dataset) -> None:
    (dataset.directory / dataset.names[3]).unlink()


def leave_an_old_shard(dataset: Dataset) -> None:
    name = shard_name("train", 7, 8)
    shutil.copy(dataset.directory / dataset.names[3], dataset.directory / name)


def forget_a_shard(dataset: Dataset) -> None:
    path = dataset.directory / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["shards"]["train"][3]
    path.write_text(json.dumps(manifest))


def copy_a_shard(dataset: Dataset) -> None:
    dataset.write({3: encode_batch(dataset.batches[1])})


def copy_and_shuffle_a_shard(dataset: Dataset) -> None:
    columns = dataset.columns(1)
    order = np.random.default_rng(0).permutation(len(columns["input_mask"]))
    dataset.write({3: EncodedBatch.of(encode_columns({name: values[order] for name, values in columns.items()}))})


def miscount_a_shard(dataset: Dataset) -> None:
    change_manifest(dataset, "records", lambda records: records + 1)


def missum_a_shard(dataset: Dataset) -> None:
    change_manifest(dataset, "sha256", lambda digest: "0" * 64)


def change_manifest(dataset: Dataset, name: str, change: Callable[[Any], Any]) -> None:
    path = dataset.directory / "manifest.json"
    manifest = json.loads(path.read_text())
    shard = manifest["shards"]["train"][3]
    shard[name] = change(shard[name])
    path.write_text(json.dumps(manifest))


def swap_without_telling(dataset: Dataset) -> None:
    for shard, records in swap_records(dataset).items():
        write_shard(STORAGE, str(dataset.directory), dataset.names[shard], [records])


@pytest.mark.parametrize(
    ("spoil", "name", "words"),
    [
        (flip_a_byte, "files", "the checksum"),
        (cut_a_file, "files", "ends within a record"),
        (lose_a_shard, "files", "No such file"),
        (lose_a_shard, "set of shards", "missing: train-00003-of-00006.tfrecord"),
        (leave_an_old_shard, "set of shards", "not of the set: train-00007-of-00008.tfrecord"),
        (forget_a_shard, "set of shards", "not of the set: train-00003-of-00006.tfrecord"),
        (copy_a_shard, "distinct shards", "train-00003-of-00006.tfrecord holds the records of train-00001"),
        (copy_and_shuffle_a_shard, "distinct shards", "holds the records of train-00001"),
        (miscount_a_shard, "manifest", "train-00003-of-00006.tfrecord: records "),
        (missum_a_shard, "manifest", "sha256 "),
        (swap_without_telling, "manifest", "train-00002-of-00006.tfrecord: "),
    ],
)
def test_spoilt_files_are_caught_and_named(dataset, spoil, name, words):
    spoil(dataset)
    found = check(dataset)
    assert name in violated(found)
    assert words in detail(found, name)


def test_a_file_the_manifest_does_not_name_is_caught(dataset):
    leave_an_old_shard(dataset)
    found = verify([f"{dataset.directory}/train-*"], STORAGE, processes=1)
    assert violated(found) >= {"manifest", "set of shards", "distinct shards"}
    assert detail(found, "manifest") == "train-00007-of-00008.tfrecord is not listed"


def test_another_vocabulary_of_the_same_size_is_caught(dataset, tmp_path):
    other = tmp_path / "other.txt"
    other.write_bytes(VOCABULARY.content.replace(b"w1\n", b"x1\n"))
    assert violated(check(dataset, vocab_file=str(other))) == {"vocabulary"}


def write_statistics(dataset: Dataset, **changes: int) -> None:
    """What a run counts, by the code that counts it there."""
    parts = [InstanceStatistics.of(batch, VOCABULARY) for batch in dataset.batches]
    documents = dataclasses.replace(
        DocumentStatistics.of(dataset.documents, VOCABULARY.unk_id), rejections={"duplicate": 3}
    ).to_json()
    instances = sum(parts[1:], start=parts[0]).to_json()
    content = {"documents": documents | changes, "instances": {"train": instances}}
    (dataset.directory / "statistics.json").write_text(json.dumps(content))
    (dataset.directory / "rejects").mkdir()
    (dataset.directory / "rejects" / "duplicate.jsonl").write_text("{}\n" * 3)


def test_what_was_counted_in_the_making_is_counted_again(dataset):
    write_statistics(dataset)
    found = check(dataset, tokens_dir=str(dataset.tokens_dir))
    assert violated(found) == set()
    assert set(not_made(found)) == {"whole words", "word starts"}


def lose_a_rejection(dataset: Dataset) -> None:
    write_statistics(dataset)
    (dataset.directory / "rejects" / "duplicate.jsonl").write_text("{}\n" * 2)


def lose_a_record(dataset: Dataset) -> None:
    write_statistics(dataset)
    dataset.write({3: EncodedBatch.of(encode_columns(dataset.columns(3))[:-1])})


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (lambda dataset: write_statistics(dataset, read=1), {"documents"}),
        (lambda dataset: write_statistics(dataset, read=122, kept=119), {"coverage"}),
        (lose_a_rejection, {"documents"}),
        (lose_a_record, {"statistics"}),
    ],
)
def test_counts_that_do_not_add_up_are_caught(dataset, spoil, names):
    spoil(dataset)
    assert violated(check(dataset, tokens_dir=str(dataset.tokens_dir))) == names
