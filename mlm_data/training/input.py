"""Shards to batches: `tf.data`, deterministic, and able to begin anywhere.

Batch number n is a function of seed and n alone. So there is no state of the input to save: a run that goes on asks for
the batches from its step on. Nor does it matter how many devices there are: each takes its rows of the same batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import tensorflow as tf

from mlm_data import chance
from mlm_data.examples import Width, features_of
from mlm_data.shards import WrittenShard
from mlm_data.training.dataset import PretrainingData
from mlm_data.training.workers import WHOLE, Share

Batch = dict[str, Any]  # tensors by v2 feature name
Masker = Callable[[Batch, Any], Batch]  # of a batch and a seed, int64 [2]

# Shards that are interleaved, and records taken from each in turn. To begin within a group costs reading what lies
# before, to begin at one costs nothing.
_GROUP, _BLOCK_LENGTH = 16, 16


@dataclass(frozen=True)
class Reader:
    """Reads batches of a dataset, each a dict by v2 feature name: int32, weights float32; [rows, width], labels [rows].

    Attributes:
        data: what is read.
        batch_size: instances of a batch, all shares together.
        share: the rows to take.
        masker: draws masks anew; without one they are as in the shards.
    """

    data: PretrainingData
    batch_size: int
    share: Share = WHOLE
    masker: Masker | None = None

    def training_batches(self, split: str, *, seed: int, shuffle_buffer: int, first: int = 0) -> Any:
        """Endless batches of shuffled instances.

        The passes over the corpus follow one another, and then come again. Within a pass shards come in random order,
        some of them interleaved, and their instances are shuffled in a buffer.

        Args:
            split: for example "train".
            seed: decides the order, and masks that are drawn anew.
            shuffle_buffer: instances to shuffle among.
            first: the number of the first batch; those before it are left out.
        """
        passes, key = self.data.passes(split), _key(seed, "input")
        start, skipped = _find_place(passes, key, first * self.batch_size)
        groups = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
        records = groups.flat_map(_group_reader(self.data, passes, key, shuffle_buffer)).skip(skipped)
        batches = records.batch(self.batch_size, drop_remainder=True)
        return self._to_tensors(batches.enumerate(first), _key(seed, "masks"))

    def evaluation_batches(self, split: str) -> Any:
        """Every instance of a split once, always in the same order; the last batch may be smaller."""
        files = tf.data.Dataset.from_tensor_slices(_paths(self.data, self.data.shards(split)))
        batches = _interleave(files, self.data).batch(self.batch_size)
        return self._to_tensors(batches.enumerate(), _key(0, "masks"))

    def _to_tensors(self, batches: Any, key: Any) -> Any:
        """Numbered batches of serialized records to tensors: the rows of the share, parsed all at once."""
        parse, share = _parser(self.data), self.share

        def convert(number: Any, records: Any) -> Batch:
            batch = parse(records[share.index :: share.count])
            if self.masker is None:
                return batch
            return self.masker(batch, tf.random.fold_in(tf.random.fold_in(key, number), share.index))

        return batches.map(convert, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _find_place(passes: Sequence[Sequence[WrittenShard]], key: Any, instances: int) -> tuple[int, int]:
    """In which group of shards, counted without end, the reader is after so many instances, and how far into it."""
    ends = list(accumulate(sum(shard.records for shard in shards) for shards in passes))
    rounds, rest = divmod(instances, ends[-1])
    number = next(number for number, end in enumerate(ends) if rest < end)
    rest -= ends[number - 1] if number else 0
    counted = rounds * len(passes) + number
    records = _in_order([shard.records for shard in passes[number]], key, counted).numpy()
    starts = np.arange(0, len(records), _GROUP)
    group_ends = np.cumsum(np.add.reduceat(records, starts))
    group = int(np.searchsorted(group_ends, rest, side="right"))
    return counted * len(starts) + group, rest - int(group_ends[group - 1] if group else 0)


def _group_reader(
    data: PretrainingData, passes: Sequence[Sequence[WrittenShard]], key: Any, shuffle_buffer: int
) -> Callable[[Any], Any]:
    """Gives the records of a group of shards by its number, counted without end."""
    paths = tf.constant([_paths(data, shards) for shards in passes])
    groups = -(-len(passes[0]) // _GROUP)

    def read(number: Any) -> Any:
        files = _in_order(paths[number // groups % len(passes)], key, number // groups)
        start = number % groups * _GROUP
        records = _interleave(tf.data.Dataset.from_tensor_slices(files[start : start + _GROUP]), data)
        # Reshuffled, it would depend on how many groups were read before.
        return records.shuffle(shuffle_buffer, tf.random.fold_in(key, number)[1], reshuffle_each_iteration=False)

    return read


def _in_order(values: Any, key: Any, number: Any) -> Any:
    """What belongs to the shards of a pass, in the order in which they are read the so-manieth time."""
    # Another type of the number would give another seed.
    return tf.random.experimental.stateless_shuffle(values, tf.random.fold_in(key, tf.cast(number, tf.int64)))


def _paths(data: PretrainingData, shards: Sequence[WrittenShard]) -> list[str]:
    return [f"{data.directory}/{shard.name}" for shard in shards]


def _interleave(files: Any, data: PretrainingData) -> Any:
    compression = "GZIP" if data.manifest.compression == "gzip" else ""
    return files.interleave(
        lambda path: tf.data.TFRecordDataset(path, compression_type=compression),
        cycle_length=_GROUP,
        block_length=_BLOCK_LENGTH,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )


def _key(seed: int, purpose: str) -> Any:
    """A seed for TensorFlow's stateless random numbers, int64 [2]."""
    return tf.constant(chance.generator(seed, "training", purpose).integers(0, 2**31, 2), tf.int64)


def _parser(data: PretrainingData) -> Callable[[Any], Batch]:
    """Turns serialized records, string [rows], into tensors by v2 name."""
    manifest = data.manifest
    widths = {Width.SEQUENCE: [manifest.max_seq_length], Width.PREDICTIONS: [manifest.max_predictions_per_seq]}
    features = features_of(manifest.objective, manifest.masking)
    schema = {
        feature.name(manifest.feature_names): tf.io.FixedLenFeature(
            widths.get(feature.width, []), tf.dtypes.as_dtype(feature.dtype)
        )
        for feature in features
    }

    def parse(records: Any) -> Batch:
        parsed = tf.io.parse_example(records, schema)
        values = {feature.v2: parsed[feature.name(manifest.feature_names)] for feature in features}
        # Devices compute with int32; on some, int64 does not exist.
        return {name: tf.cast(value, tf.int32) if value.dtype.is_integer else value for name, value in values.items()}

    return parse
