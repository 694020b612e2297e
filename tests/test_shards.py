"""Room 8: files are whole or not there, and documents find the same place everywhere."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from mlm_data.records import EncodedBatch
from mlm_data.shards import (
    UNFINISHED,
    ShardError,
    ShardReader,
    assign_bucket,
    assign_split,
    choose_buckets,
    read_records,
    write_shard,
)
from mlm_data.storage import LocalStorage

STORAGE = LocalStorage()


@given(st.lists(st.lists(st.binary(max_size=300)), max_size=3), st.sampled_from(["none", "gzip"]))
def test_records_come_back_as_written(tmp_path_factory, batches, compression):
    directory = str(tmp_path_factory.mktemp("shards"))
    name = "x.tfrecord.gz" if compression == "gzip" else "x.tfrecord"
    shard = write_shard(STORAGE, directory, name, map(EncodedBatch.of, batches), compression)
    read = list(read_records(STORAGE, f"{directory}/{name}"))
    assert read == [record for batch in batches for record in batch]
    assert shard.records == len(read)
    reader = ShardReader(STORAGE, f"{directory}/{name}")
    assert read_in_batches(reader) == read
    assert reader.found == shard


def read_in_batches(reader: ShardReader) -> list[bytes]:
    return [
        batch.data[start:end]
        for batch in reader.batches()
        for start, end in zip(batch.starts.tolist(), batch.ends.tolist(), strict=True)
    ]


@pytest.mark.parametrize("bytes_per_batch", [1, 7, 100, 1000])
def test_records_may_be_cut_by_the_end_of_a_batch(tmp_path, monkeypatch, bytes_per_batch):
    monkeypatch.setattr("mlm_data.shards.reading._BYTES_PER_BATCH", bytes_per_batch)
    records = [bytes([number]) * (number % 90) for number in range(256)]
    shard = write_shard(STORAGE, str(tmp_path), "x.tfrecord", [EncodedBatch.of(records)])
    reader = ShardReader(STORAGE, str(tmp_path / "x.tfrecord"))
    assert read_in_batches(reader) == records
    assert reader.found == shard


def test_a_shard_that_fails_leaves_nothing(tmp_path):
    def batches():
        yield EncodedBatch.of([b"one"])
        raise RuntimeError("the worker died")

    with pytest.raises(RuntimeError, match="died"):
        write_shard(STORAGE, str(tmp_path), "x.tfrecord", batches())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_shard_has_no_final_name_before_it_is_whole(tmp_path):
    def batches():
        yield EncodedBatch.of([b"one"])
        seen.extend(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
        yield EncodedBatch.of([b"two"])

    seen: list[str] = []
    write_shard(STORAGE, str(tmp_path), "x.tfrecord", batches())
    assert len(seen) == 1
    assert seen[0].startswith(UNFINISHED)


@pytest.mark.parametrize("name", ["x.tfrecord", "x.tfrecord.gz"])
@given(data=st.data())
def test_damage_is_found_and_placed(tmp_path_factory, name, data):
    directory = tmp_path_factory.mktemp("shards")
    write_shard(STORAGE, str(directory), name, [EncodedBatch.of([b"first", b"second"])])
    whole = (directory / name).read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.booleans())
    damaged = whole[:place] if cut else whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
    (directory / name).write_bytes(gzip.compress(damaged) if name.endswith(".gz") else damaged)
    if cut and place in (0, 21):  # the end of a record: nothing tells that more should follow
        assert len(list(read_records(STORAGE, f"{directory}/{name}"))) == (place > 0)
        return
    with pytest.raises(ShardError, match=f"record {int(place >= 21)}"):
        list(read_records(STORAGE, f"{directory}/{name}"))
    with pytest.raises(ShardError, match=f"record {int(place >= 21)}"):
        read_in_batches(ShardReader(STORAGE, f"{directory}/{name}"))


def test_buckets_are_even_and_finer_ones_nest_in_coarser():
    keys = [i.to_bytes(16) for i in range(20_000)]
    fine = np.array([assign_bucket(1, key, 64) for key in keys])
    coarse = np.array([assign_bucket(1, key, 16) for key in keys])
    assert chisquare(np.bincount(fine, minlength=64)).pvalue > 1e-6
    assert (fine // 4 == coarse).all()


def test_the_split_takes_its_share_and_does_not_touch_the_bucket():
    keys = [i.to_bytes(16) for i in range(20_000)]
    held_out = np.array([assign_split(1, key, 0.1) == "validation" for key in keys])
    assert abs(held_out.mean() - 0.1) < 0.01
    buckets = np.array([assign_bucket(1, key, 8) for key in keys])
    assert chisquare(np.bincount(buckets[held_out], minlength=8)).pvalue > 1e-6


@given(st.integers(0, 10**9), st.integers(0, 10**13))
def test_buckets_hold_documents_enough_and_tokens_not_too_many(documents, tokens):
    buckets = choose_buckets(documents, tokens)
    assert buckets == 1 or documents / buckets >= 16
    assert tokens / buckets <= 16_000_000 or documents / (2 * buckets) < 16
