"""Room 8: shard names, which document goes where, and TFRecord files written and read whole or not at all."""

from mlm_data.shards.assignment import assign_bucket, assign_split, choose_buckets
from mlm_data.shards.framing import FramedBatch, ShardError
from mlm_data.shards.names import TRAIN, VALIDATION, find_seq_length, shard_name, shard_pattern
from mlm_data.shards.reading import ShardReader, read_records
from mlm_data.shards.writing import UNFINISHED, WrittenShard, atomic_file, write_shard

__all__ = [
    "TRAIN",
    "UNFINISHED",
    "VALIDATION",
    "FramedBatch",
    "ShardError",
    "ShardReader",
    "WrittenShard",
    "assign_bucket",
    "assign_split",
    "atomic_file",
    "choose_buckets",
    "find_seq_length",
    "read_records",
    "shard_name",
    "shard_pattern",
    "write_shard",
]
