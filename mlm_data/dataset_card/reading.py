"""How programs of others read a dataset: what to tell `tf.data`, TensorFlow Datasets and TF Model Garden."""

from __future__ import annotations

from mlm_data.dataset_card.markdown import fence
from mlm_data.examples import Width, features_of
from mlm_data.manifest import Manifest
from mlm_data.shards import TRAIN, VALIDATION, shard_pattern
from mlm_data.tfds_metadata import is_readable, number_of_values


def tell_how_to_read(manifest: Manifest) -> str:
    """The section of the card."""
    sections = [
        "## How to read it",
        "In this directory; batch first, then parse, since parsing one by one is many times slower:",
        fence("python", _tf_data_by_length(manifest) if manifest.sequence_buckets else _tf_data(manifest)),
        *_tell_tfds(manifest),
        *_tell_model_garden(manifest),
    ]
    return "\n\n".join(sections)


def _tf_data(manifest: Manifest) -> str:
    features = "\n".join(
        f'    "{feature.name(manifest.feature_names)}": '
        f"tf.io.FixedLenFeature([{number_of_values(feature, manifest)}], tf.{feature.dtype}),"
        for feature in features_of(manifest.objective, manifest.masking)
    )
    compression = "GZIP" if manifest.compression == "gzip" else ""
    shards = shard_pattern(TRAIN, manifest.compression)
    return f"""import tensorflow as tf

FEATURES = {{
{features}
}}


def read_shard(path):
    return tf.data.TFRecordDataset(path, compression_type="{compression}")


dataset = (
    tf.data.Dataset.list_files("{shards}", shuffle=True, seed=1)
    .interleave(read_shard, cycle_length=16, num_parallel_calls=tf.data.AUTOTUNE)
    .shuffle(20_000, seed=1)
    .batch(256, drop_remainder=True)
    .map(lambda records: tf.io.parse_example(records, FEATURES), num_parallel_calls=tf.data.AUTOTUNE)
    .prefetch(tf.data.AUTOTUNE)
)"""


_NOT_FOR_MODEL_GARDEN = "TF Model Garden's pre-training task expects masked records: it cannot train on these."


def _tf_data_by_length(manifest: Manifest) -> str:
    """As `_tf_data`, with batches of one length each and about equally many tokens in all."""
    values = {Width.SEQUENCE: "length", Width.PREDICTIONS: "slots", Width.ONE: "1"}
    features = "\n".join(
        f'        "{feature.name(manifest.feature_names)}": '
        f"tf.io.FixedLenFeature([{values[feature.width]}], tf.{feature.dtype}),"
        for feature in features_of(manifest.objective, manifest.masking)
    )
    compression = "GZIP" if manifest.compression == "gzip" else ""
    records = _records_by_length(TRAIN, manifest)
    lengths = "\n".join(
        f'    {length}: ("{shard_pattern(TRAIN, manifest.compression, length)}", {slots}, {records[length]}),'
        for length, slots in manifest.slots_by_length.items()
        if records[length]
    )
    return f"""import tensorflow as tf

# By length: shards, values of the masked_lm features, records.
LENGTHS = {{
{lengths}
}}


def features(length, slots):
    return {{
{features}
    }}


def read_shard(path):
    return tf.data.TFRecordDataset(path, compression_type="{compression}")


def read_length(length, shards, slots):
    return (
        tf.data.Dataset.list_files(shards, shuffle=True, seed=1)
        .interleave(read_shard, cycle_length=16, num_parallel_calls=tf.data.AUTOTUNE)
        .shuffle(20_000, seed=1)
        .batch(max(1, 32_768 // length), drop_remainder=True)
        .map(lambda records: tf.io.parse_example(records, features(length, slots)), tf.data.AUTOTUNE)
    )


dataset = tf.data.Dataset.sample_from_datasets(
    [read_length(length, shards, slots) for length, (shards, slots, _) in LENGTHS.items()],
    weights=[float(length * records) for length, (_, _, records) in LENGTHS.items()],
    seed=1,
).prefetch(tf.data.AUTOTUNE)"""


def _records_by_length(split: str, manifest: Manifest) -> dict[int, int]:
    """Records of a split by length."""
    shards = manifest.shards.get(split, ())
    return {
        length: sum(shard.records for shard in shards if shard.seq_length == length)
        for length in manifest.slots_by_length
    }


def _tell_tfds(manifest: Manifest) -> list[str]:
    if is_readable(manifest):
        return ["With TensorFlow Datasets:", fence("python", _TFDS)]
    if manifest.sequence_buckets:
        return ["TensorFlow Datasets cannot read these shards: all records of a dataset have one length there."]
    return ["TensorFlow Datasets cannot read gzip'd shards."]


_TFDS = f"""import tensorflow_datasets as tfds

dataset = tfds.builder_from_directory(".").as_dataset(split="{TRAIN}", shuffle_files=True)"""


_PLAIN_FOR_MODEL_GARDEN = (
    "TF Model Garden's loader for several lengths reads neither gzip'd shards nor the names of `--feature_names v1`."
)


def _tell_model_garden(manifest: Manifest) -> list[str]:
    if not manifest.max_predictions_per_seq:
        return [_NOT_FOR_MODEL_GARDEN]
    if manifest.sequence_buckets and (manifest.feature_names, manifest.compression) != ("v2", "none"):
        return [_PLAIN_FOR_MODEL_GARDEN]
    experiment = "bert/pretraining_dynamic" if manifest.sequence_buckets else "bert/pretraining"
    return [f"With TF Model Garden, experiment `{experiment}`:", fence("yaml", _model_garden(manifest))]


def _model_garden(manifest: Manifest) -> str:
    validation = ""
    if manifest.shards.get(VALIDATION):
        # The default would drop the last batch, which may be all there is.
        validation = f"\n  validation_data:{_model_garden_data(VALIDATION, manifest)}"
        validation += "\n    is_training: false\n    drop_remainder: false"
    no_heads = "" if manifest.label_meanings else "\n    cls_heads: []"
    return f"""task:
  model:{no_heads}
    encoder:
      bert:
        vocab_size: {manifest.vocab_size}
        max_position_embeddings: {max(512, manifest.max_seq_length)}
  train_data:{_model_garden_data(TRAIN, manifest)}{validation}"""


def _model_garden_data(split: str, manifest: Manifest) -> str:
    length, sizes = _model_garden_sizes(split, manifest)
    lines = [
        f"input_path: {shard_pattern(split, manifest.compression, length)}",
        *sizes,
        f"use_next_sentence_label: {str(bool(manifest.label_meanings)).lower()}",
        "use_position_id: false",
        f"use_v2_feature_names: {str(manifest.feature_names == 'v2').lower()}",
    ]
    return "".join(f"\n    {line}" for line in lines)


def _model_garden_sizes(split: str, manifest: Manifest) -> tuple[int | None, list[str]]:
    """Which length to read, None for all there are, and what the loader has to be told of lengths."""
    if not manifest.sequence_buckets:
        return None, _one_size(manifest.max_seq_length, manifest)
    if split == TRAIN:
        return None, [f"seq_bucket_lengths: {list(manifest.slots_by_length)}"]
    # Its experiment evaluates with the loader for one length; most can be said with the one that has most records.
    records = _records_by_length(split, manifest)
    length = max(records, key=lambda length: records[length])
    return length, _one_size(length, manifest)


def _one_size(length: int, manifest: Manifest) -> list[str]:
    return [
        f"file_type: {'tfrecord_compressed' if manifest.compression == 'gzip' else 'tfrecord'}",
        f"seq_length: {length}",
        f"max_predictions_per_seq: {manifest.slots_by_length[length]}",
    ]
