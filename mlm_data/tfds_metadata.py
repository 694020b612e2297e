"""What TensorFlow Datasets asks of a directory: `features.json` and `dataset_info.json`.

With both, `tfds.builder_from_directory(DIRECTORY).as_dataset(split="train")` reads the shards as they are. Their form
is the JSON of TFDS's messages `FeaturesDict` and `DatasetInfo` (proto/feature.proto and dataset_info.proto there).
"""

from __future__ import annotations

import json
from typing import Any

from mlm_data.examples import Feature, Width, features_of
from mlm_data.manifest import Manifest

DATASET_NAME = "mlm_data"
VERSION = "1.0.0"  # of the record's form; TFDS insists on three numbers
SHARD_TEMPLATE = "{SPLIT}-{SHARD_X_OF_Y}.{FILEFORMAT}"  # `shard_name` in TFDS's words

_CLASSES = "tensorflow_datasets.core.features"


def is_readable(manifest: Manifest) -> bool:
    """Whether TFDS can read the shards: it opens TFRecord files without decompression, and knows one length for all."""
    return manifest.compression == "none" and manifest.sequence_buckets is None


def number_of_values(feature: Feature, manifest: Manifest) -> int:
    """How many values a feature has in every record of a dataset, the most where shards have several lengths."""
    return 1 if feature.width is Width.ONE else int(getattr(manifest, feature.width))


def render_features(manifest: Manifest) -> str:
    """The content of `features.json`: name, shape and type of each feature."""
    features = {
        feature.name(manifest.feature_names): _tensor(feature, manifest)
        for feature in features_of(manifest.objective, manifest.masking)
    }
    return _to_json(
        {
            "type": f"{_CLASSES}.features_dict.FeaturesDict",
            "proto_cls": "tensorflow_datasets.FeaturesDict",
            "content": {"features": features},
        }
    )


def render_dataset_info(manifest: Manifest) -> str:
    """The content of `dataset_info.json`: the records of each shard, by split, and how the files are named."""
    splits = [
        {
            "name": split,
            "filepathTemplate": SHARD_TEMPLATE,
            "numBytes": str(sum(shard.size for shard in shards)),
            "shardLengths": [str(shard.records) for shard in shards],
        }
        for split, shards in sorted(manifest.shards.items())
        if shards
    ]
    description = (
        f"BERT pre-training instances of up to {manifest.max_seq_length} tokens: objective {manifest.objective}, "
        f"masking {manifest.masking}."
    )
    return _to_json(
        {
            "name": DATASET_NAME,
            "version": VERSION,
            "description": description,
            "fileFormat": "tfrecord",
            "splits": splits,
        }
    )


def _tensor(feature: Feature, manifest: Manifest) -> dict[str, Any]:
    shape = {"dimensions": [str(number_of_values(feature, manifest))]}
    return {
        "pythonClassName": f"{_CLASSES}.tensor_feature.Tensor",
        "tensor": {"shape": shape, "dtype": feature.dtype, "encoding": "none"},
    }


def _to_json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True) + "\n"
