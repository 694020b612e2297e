"""Records of a split, pass after pass, without end and from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import tensorflow as tf

from mlm_data.shards import WrittenShard
from mlm_data.training.dataset import PretrainingData
from mlm_data.training.keys import in_order

# Shards that are interleaved, and records taken from each in turn. To begin within a group costs reading what lies
# before, to begin at one costs nothing.
_GROUP, _BLOCK_LENGTH = 16, 16


def endless_records(data: PretrainingData, split: str, key: Any, shuffle_buffer: int, first: int) -> Any:
    """Shuffled records, as often as one likes: `tf.data` of strings.

    The passes over the corpus follow one another, and then come again. Within a pass shards come in random order, some
    of them interleaved, and their records are shuffled in a buffer.

    Args:
        data: of one length.
        split: for example "train".
        key: decides the order, int64 [2].
        shuffle_buffer: records to shuffle among.
        first: the number of the first; those before it are left out.
    """
    passes = data.passes(split)
    start, skipped = _find_place(passes, key, first)
    groups = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    return groups.flat_map(_group_reader(data, passes, key, shuffle_buffer)).skip(skipped)


def all_records(data: PretrainingData, split: str) -> Any:
    """Every record of a split once, always in the same order: `tf.data` of strings."""
    return _interleave(tf.data.Dataset.from_tensor_slices(_paths(data, data.shards(split))), data)


def _find_place(passes: Sequence[Sequence[WrittenShard]], key: Any, instances: int) -> tuple[int, int]:
    """In which group of shards, counted without end, the reader is after so many instances, and how far into it."""
    ends = list(accumulate(sum(shard.records for shard in shards) for shards in passes))
    rounds, rest = divmod(instances, ends[-1])
    number = next(number for number, end in enumerate(ends) if rest < end)
    rest -= ends[number - 1] if number else 0
    counted = rounds * len(passes) + number
    records = in_order([shard.records for shard in passes[number]], key, counted).numpy()
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
        files = in_order(paths[number // groups % len(passes)], key, number // groups)
        start = number % groups * _GROUP
        records = _interleave(tf.data.Dataset.from_tensor_slices(files[start : start + _GROUP]), data)
        # Reshuffled, it would depend on how many groups were read before.
        return records.shuffle(shuffle_buffer, tf.random.fold_in(key, number)[1], reshuffle_each_iteration=False)

    return read


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
