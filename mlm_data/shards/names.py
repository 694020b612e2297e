"""What shards are called."""

from __future__ import annotations

TRAIN = "train"
VALIDATION = "validation"


def shard_name(split: str, index: int, total: int, compression: str = "none") -> str:
    """The file name of a shard.

    >>> shard_name("train", 7, 32)
    'train-00007-of-00032.tfrecord'
    """
    return f"{split}-{index:05d}-of-{total:05d}.tfrecord{'.gz' if compression == 'gzip' else ''}"
