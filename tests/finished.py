"""Finished datasets made up for tests: what is known of them and, for those who read them, shards on disk."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlm_data import chance
from mlm_data.config import MaskingSettings, Settings
from mlm_data.dataset_directory import CONFIG
from mlm_data.examples import encode_batch, features_of
from mlm_data.instances import gather_instances, shortest_holding, split_by_length
from mlm_data.manifest import MANIFEST, Manifest
from mlm_data.masking import mask_tokens
from mlm_data.pairing import lay_end_to_end, make_segments
from mlm_data.records import InstanceBatch, Segments
from mlm_data.shards import TRAIN, VALIDATION, WrittenShard, shard_name, write_shard
from mlm_data.statistics import DocumentStatistics, InstanceStatistics
from mlm_data.storage import LocalStorage
from mlm_data.vocabulary import Vocabulary
from tests.making import random_documents, vocabulary_content

VOCABULARY = Vocabulary.parse(vocabulary_content(), "made up")
DOCUMENTS = DocumentStatistics(
    kept=1234,
    sentences=40_000,
    tokens=812_345,
    unknown_tokens=7,
    repairs={"control_characters": 3},
    rejections={"duplicate": 21, "too_long": 1},
)


@dataclass(frozen=True)
class Finished:
    """What the files beside the shards are made of."""

    manifest: Manifest
    settings: Settings
    documents: DocumentStatistics
    instances: dict[str, InstanceStatistics]

    @property
    def parts(self) -> tuple[Manifest, Settings, DocumentStatistics, dict[str, InstanceStatistics]]:
        return self.manifest, self.settings, self.documents, self.instances


def masked_batch(settings: Settings, documents: int, seed: int) -> InstanceBatch:
    """Instances of so many documents, all padded to the longest length."""
    length = settings.pairing.max_seq_length
    return _mask(_segments(settings, documents, seed), length, settings.masking, settings, seed)


def _segments(settings: Settings, documents: int, seed: int) -> Segments:
    corpus = lay_end_to_end(random_documents(documents, sentences=(2, 30), words=(1, 40), seed=seed))
    return make_segments(corpus, settings.pairing, VOCABULARY.sep_id, chance.generator(seed, "pair"))


def _mask(segments: Segments, length: int, masking: MaskingSettings, settings: Settings, seed: int) -> InstanceBatch:
    batch = gather_instances(segments, VOCABULARY, length)
    return mask_tokens(batch, masking, VOCABULARY, chance.generator(seed, "mask"), settings.pairing.parity)


def finished_dataset(
    documents: int = 40, shards: int = 4, splits: tuple[str, ...] = ("train",), **flags: Any
) -> Finished:
    """A dataset whose splits hold the instances of so many documents each, divided evenly among their shards."""
    paths = {"input": ["a & b/<i>*.txt", "lines:c.txt"], "vocab_file": "/secret/v.txt", "output_dir": "/secret/out"}
    settings = Settings.from_flags({**paths, **flags})
    instances, written = {}, {}
    for seed, split in enumerate(splits):
        batch = masked_batch(settings, documents, seed)
        instances[split] = InstanceStatistics.of(batch, VOCABULARY)
        buckets = settings.pairing.sequence_buckets
        bucket = shortest_holding(batch.lengths, buckets or (settings.pairing.max_seq_length,))
        written[split] = tuple(
            WrittenShard(
                shard_name(split, index, shards, settings.shards.compression, length),
                records,
                900 * records,
                "0" * 64,
                length,
            )
            for number, length in enumerate(buckets or (None,))
            for index, records in enumerate(map(len, np.array_split(batch.lengths[bucket == number], shards)))
        )
    return Finished(Manifest.of(written, settings, VOCABULARY), settings, DOCUMENTS, instances)


def write_dataset(directory: Path, *, buckets: int = 2, documents: int = 30, **flags: Any) -> None:
    """Writes what a reader of shards looks at; every shard holds some documents of its own, and more than the last."""
    slots = 0 if flags.get("masking") == "none" else 5
    settings = Settings.from_flags({"dupe_factor": 2, "max_seq_length": 32, "max_predictions_per_seq": slots, **flags})
    shards, written = settings.shards, {}
    maskings = settings.masking_by_length
    features = features_of(settings.pairing.objective, settings.masking.masking)
    for seed, (split, passes) in enumerate({TRAIN: shards.dupe_factor, VALIDATION: 1}.items()):
        total = passes * buckets
        written[split] = []
        for number in range(total):
            segments = _segments(settings, documents + number, 100 * seed + number)
            for length, some in split_by_length(segments, tuple(maskings)):
                batch = _mask(some, length, maskings[length], settings, 100 * seed + number)
                bucket = length if settings.pairing.sequence_buckets else None
                name = shard_name(split, number, total, shards.compression, bucket)
                encoded = [encode_batch(batch, shards.feature_names, features)]
                shard = write_shard(LocalStorage(), str(directory), name, encoded, shards.compression)
                written[split].append(dataclasses.replace(shard, seq_length=bucket))
    written = {split: tuple(sorted(some, key=lambda shard: shard.name)) for split, some in written.items()}
    (directory / MANIFEST).write_text(Manifest.of(written, settings, VOCABULARY).to_json())
    (directory / CONFIG).write_text(json.dumps({"settings": settings.to_flags()}))
    (directory / "vocab.txt").write_bytes(VOCABULARY.content)
