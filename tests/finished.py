"""Finished datasets made up for tests: everything known of them but the shards themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlm_data import chance
from mlm_data.config import Settings
from mlm_data.instances import gather_instances, shortest_holding
from mlm_data.manifest import Manifest
from mlm_data.masking import mask_tokens
from mlm_data.pairing import lay_end_to_end, make_segments
from mlm_data.records import InstanceBatch
from mlm_data.shards import WrittenShard, shard_name
from mlm_data.statistics import DocumentStatistics, InstanceStatistics
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
    corpus = lay_end_to_end(random_documents(documents, sentences=(2, 30), words=(1, 40), seed=seed))
    segments = make_segments(corpus, settings.pairing, VOCABULARY.sep_id, chance.generator(seed, "pair"))
    batch = gather_instances(segments, VOCABULARY, settings.pairing.max_seq_length)
    return mask_tokens(batch, settings.masking, VOCABULARY, chance.generator(seed, "mask"))


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
