"""How programs of others read a dataset: what to tell `tf.data`, TensorFlow Datasets and TF Model Garden."""

from __future__ import annotations

from mlm_data.dataset_card.markdown import fence
from mlm_data.examples import features_of
from mlm_data.manifest import Manifest
from mlm_data.shards import TRAIN, VALIDATION
from mlm_data.tfds_metadata import is_readable, number_of_values


def tell_how_to_read(manifest: Manifest) -> str:
    """The section of the card."""
    suffix = "tfrecord.gz" if manifest.compression == "gzip" else "tfrecord"
    sections = [
        "## How to read it",
        "In this directory; batch first, then parse, since parsing one by one is many times slower:",
        fence("python", _tf_data(manifest, suffix)),
        "With TensorFlow Datasets:" if is_readable(manifest) else "TensorFlow Datasets cannot read gzip'd shards.",
        *([fence("python", _TFDS)] if is_readable(manifest) else []),
        *(_tell_model_garden(manifest, suffix) if manifest.max_predictions_per_seq else [_NOT_FOR_MODEL_GARDEN]),
    ]
    return "\n\n".join(sections)


def _tf_data(manifest: Manifest, suffix: str) -> str:
    features = "\n".join(
        f'    "{feature.name(manifest.feature_names)}": '
        f"tf.io.FixedLenFeature([{number_of_values(feature, manifest)}], tf.{feature.dtype}),"
        for feature in features_of(manifest.objective, manifest.masking)
    )
    compression = "GZIP" if manifest.compression == "gzip" else ""
    return f"""import tensorflow as tf

FEATURES = {{
{features}
}}


def read_shard(path):
    return tf.data.TFRecordDataset(path, compression_type="{compression}")


dataset = (
    tf.data.Dataset.list_files("{TRAIN}-*.{suffix}", shuffle=True, seed=1)
    .interleave(read_shard, cycle_length=16, num_parallel_calls=tf.data.AUTOTUNE)
    .shuffle(20_000, seed=1)
    .batch(256, drop_remainder=True)
    .map(lambda records: tf.io.parse_example(records, FEATURES), num_parallel_calls=tf.data.AUTOTUNE)
    .prefetch(tf.data.AUTOTUNE)
)"""


_NOT_FOR_MODEL_GARDEN = "TF Model Garden's pre-training task expects masked records: it cannot train on these."

_TFDS = f"""import tensorflow_datasets as tfds

dataset = tfds.builder_from_directory(".").as_dataset(split="{TRAIN}", shuffle_files=True)"""


def _tell_model_garden(manifest: Manifest, suffix: str) -> list[str]:
    return ["With TF Model Garden, experiment `bert/pretraining`:", fence("yaml", _model_garden(manifest, suffix))]


def _model_garden(manifest: Manifest, suffix: str) -> str:
    validation = ""
    if manifest.shards.get(VALIDATION):
        # The default would drop the last batch, which may be all there is.
        validation = f"\n  validation_data:{_model_garden_data(VALIDATION, manifest, suffix)}"
        validation += "\n    is_training: false\n    drop_remainder: false"
    no_heads = "" if manifest.label_meanings else "\n    cls_heads: []"
    return f"""task:
  model:{no_heads}
    encoder:
      bert:
        vocab_size: {manifest.vocab_size}
        max_position_embeddings: {max(512, manifest.max_seq_length)}
  train_data:{_model_garden_data(TRAIN, manifest, suffix)}{validation}"""


def _model_garden_data(split: str, manifest: Manifest, suffix: str) -> str:
    file_type = "tfrecord_compressed" if manifest.compression == "gzip" else "tfrecord"
    return f"""
    input_path: {split}-*.{suffix}
    file_type: {file_type}
    seq_length: {manifest.max_seq_length}
    max_predictions_per_seq: {manifest.max_predictions_per_seq}
    use_next_sentence_label: {str(bool(manifest.label_meanings)).lower()}
    use_position_id: false
    use_v2_feature_names: {str(manifest.feature_names == "v2").lower()}"""
