"""What shards are called."""

from __future__ import annotations

import re

TRAIN = "train"
VALIDATION = "validation"

_LENGTH = re.compile(r"-seq(\d+)-\d+-of-\d+")


def shard_name(split: str, index: int, total: int, compression: str = "none", seq_length: int | None = None) -> str:
    """The file name of a shard; with a length, `index` and `total` count the shards of that length.

    >>> shard_name("train", 7, 32)
    'train-00007-of-00032.tfrecord'
    >>> shard_name("train", 7, 32, seq_length=128)
    'train-seq128-00007-of-00032.tfrecord'
    """
    return f"{_stem(split, seq_length)}-{index:05d}-of-{total:05d}{_suffix(compression)}"


def shard_pattern(split: str, compression: str = "none", seq_length: int | None = None) -> str:
    """A glob for the shards of a split, of all lengths or one."""
    return f"{_stem(split, seq_length)}-*{_suffix(compression)}"


def find_seq_length(name: str) -> int | None:
    """The length in the file name of a shard; None where there is none.

    >>> find_seq_length("train-seq128-00007-of-00032.tfrecord")
    128
    """
    match = _LENGTH.search(name)
    return int(match[1]) if match else None


def _stem(split: str, seq_length: int | None) -> str:
    return split if seq_length is None else f"{split}-seq{seq_length}"


def _suffix(compression: str) -> str:
    return ".tfrecord.gz" if compression == "gzip" else ".tfrecord"
