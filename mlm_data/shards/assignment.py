"""Which document goes into which shards, decided by its content alone."""

from __future__ import annotations

import math

from mlm_data import chance
from mlm_data.shards.names import TRAIN, VALIDATION

SMALL_BUCKET_TOKENS, LARGE_BUCKET_TOKENS = 2_000_000, 16_000_000
SMALL_BUCKETS = 32
BUCKET_DOCUMENTS = 16


def choose_buckets(documents: int, tokens: int) -> int:
    """How many shards a pass should fill, decided by content alone.

    A power of two, so that it seldom changes. Shards are small while they are few, so that all cores have some to
    build, and grow to 16 million tokens (100 MB of records). No bucket should have fewer than 16 documents: next
    sentence prediction takes its random segments from other documents of the same bucket, and for any objective fewer
    documents would make shards of very different sizes.
    """
    by_size = max(min(tokens / SMALL_BUCKET_TOKENS, SMALL_BUCKETS), tokens / LARGE_BUCKET_TOKENS, 1)
    by_documents = max(documents / BUCKET_DOCUMENTS, 1)
    return 1 << min(math.ceil(math.log2(by_size)), math.floor(math.log2(by_documents)))


def assign_split(seed: int, key: bytes, validation_fraction: float) -> str:
    """The split a document belongs to, by its key alone."""
    return VALIDATION if chance.hash64(seed, "split", key) < validation_fraction * 2**64 else TRAIN


def assign_bucket(seed: int, key: bytes, buckets: int) -> int:
    """The bucket a document belongs to, by its key alone.

    Buckets are equal ranges of the hash, so that those of a finer division nest in those of a coarser one.
    """
    return chance.hash64(seed, "bucket", key) * buckets >> 64
