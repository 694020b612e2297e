"""Reads a dataset directory with TensorFlow Datasets and compares every value with our own reading of its shards.

    python tests/peers/tfds_reader.py DIRECTORY

Needs tensorflow and tensorflow-datasets. Exit status: 0 all alike, 1 something differs, 2 usage.
"""
# ruff: noqa: T201  (a program, which speaks by printing)

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import tensorflow_datasets as tfds

from mlm_data.examples import decode_example, features_of
from mlm_data.manifest import MANIFEST, Manifest
from mlm_data.shards import read_records
from mlm_data.storage import LocalStorage
from mlm_data.tfds_metadata import is_readable, number_of_values


def check_features(builder: Any, manifest: Manifest) -> None:
    """Names, shapes and types are those of the schema."""
    expected = {
        feature.name(manifest.feature_names): ((number_of_values(feature, manifest),), feature.dtype)
        for feature in features_of(manifest.objective, manifest.masking)
    }
    found = {name: (tensor.shape, np.dtype(tensor.np_dtype).name) for name, tensor in builder.info.features.items()}
    expect_equal(found, expected, "features")


def check_split(builder: Any, split: str, directory: Path, manifest: Manifest) -> int:
    """Every record is read, with the values that our own reader finds; gives how many there are."""
    shards = manifest.shards[split]
    lengths = [int(length) for length in builder.info.splits[split].shard_lengths]
    expect_equal(lengths, [shard.records for shard in shards], f"{split}: records by shard")
    read_in_order = tfds.ReadConfig(interleave_cycle_length=1)
    dataset = builder.as_dataset(split=split, shuffle_files=False, read_config=read_in_order)
    ours = (record for shard in shards for record in read_shard(directory / shard.name))
    number = 0
    for theirs, own in zip(tfds.as_numpy(dataset), ours, strict=True):
        expect_equal(sorted(theirs), sorted(own), f"{split}, record {number}: names")
        for name, values in own.items():
            same = theirs[name].dtype == values.dtype and np.array_equal(theirs[name], values)
            expect_equal(same, True, f"{split}, record {number}: {name} is alike")
        number += 1
    return number


def read_shard(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a shard as this project reads them."""
    return (decode_example(record) for record in read_records(LocalStorage(), str(path)))


def expect_equal(found: Any, expected: Any, what: str) -> None:
    """Ends the program with status 1 where two values differ."""
    if found != expected:
        sys.exit(f"DIFFERENT  {what}: tensorflow_datasets says {found!r}, expected {expected!r}")


def main(arguments: list[str]) -> int:
    """Checks the directory named."""
    if len(arguments) != 1 or not (Path(arguments[0]) / MANIFEST).is_file():
        print(f"expected one directory that holds a {MANIFEST}, got {arguments}", file=sys.stderr)
        return 2
    directory = Path(arguments[0])
    manifest = Manifest.from_json((directory / MANIFEST).read_bytes())
    if not is_readable(manifest):
        print(
            f"{directory}: compression {manifest.compression}, which tensorflow_datasets cannot read", file=sys.stderr
        )
        return 2
    builder = tfds.builder_from_directory(directory)
    check_features(builder, manifest)
    print(f"alike      {len(builder.info.features)} features: names, shapes, types")
    splits = [split for split, shards in manifest.shards.items() if shards]
    expect_equal(sorted(builder.info.splits), sorted(splits), "splits")
    for split in splits:
        number = check_split(builder, split, directory, manifest)
        print(f"alike      {split}: {number} examples from {len(manifest.shards[split])} shards, every value")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
