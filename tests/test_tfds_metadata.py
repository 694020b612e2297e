"""What TensorFlow Datasets reads; `tests/peers/tfds_reader.py` lets it read."""

from __future__ import annotations

import json

import pytest

from mlm_data.examples import decode_example, encode_batch, features_of
from mlm_data.tfds_metadata import is_readable, render_dataset_info, render_features
from tests.finished import finished_dataset, masked_batch


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"feature_names": "v1", "max_seq_length": 64, "max_predictions_per_seq": 10},
        {"objective": "mlm"},
        {"masking": "none"},
    ],
)
def test_features_are_those_of_a_record(flags):
    dataset = finished_dataset(**flags)
    features = features_of(dataset.manifest.objective, dataset.manifest.masking)
    encoded = encode_batch(masked_batch(dataset.settings, 9, 0), dataset.settings.shards.feature_names, features)
    record = decode_example(next(encoded.records()))
    tensors = json.loads(render_features(dataset.manifest))["content"]["features"]
    described = {
        name: (tensor["tensor"]["shape"]["dimensions"], tensor["tensor"]["dtype"]) for name, tensor in tensors.items()
    }
    assert described == {name: ([str(len(values))], values.dtype.name) for name, values in record.items()}


def test_splits_are_the_shards_by_name_and_length():
    manifest = finished_dataset(splits=("train", "validation"), shards=3).manifest
    info = json.loads(render_dataset_info(manifest))
    assert [split["name"] for split in info["splits"]] == ["train", "validation"]
    for split in info["splits"]:
        shards = manifest.shards[split["name"]]
        assert split["shardLengths"] == [str(shard.records) for shard in shards]
        assert split["numBytes"] == str(sum(shard.size for shard in shards))
        assert [shard.name for shard in shards] == [
            split["filepathTemplate"].format(
                SPLIT=split["name"], SHARD_X_OF_Y=f"{index:05d}-of-{len(shards):05d}", FILEFORMAT=info["fileFormat"]
            )
            for index in range(len(shards))
        ]


def test_gzipped_shards_are_not_for_tfds():
    assert is_readable(finished_dataset().manifest)
    assert not is_readable(finished_dataset(compression="gzip").manifest)
