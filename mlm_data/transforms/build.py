"""Rooms 5 to 8 in a row: the documents of a bucket become shards, one a pass and length."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import apache_beam as beam
import numpy as np

from mlm_data import chance
from mlm_data.config import Settings
from mlm_data.examples import encode_batch, features_of
from mlm_data.instances import gather_instances, split_by_length
from mlm_data.masking import mask_tokens
from mlm_data.objectives import find_objective
from mlm_data.pairing import lay_end_to_end, segment_maker
from mlm_data.records import (
    EncodedBatch,
    InstanceBatch,
    Reason,
    Rejection,
    Segments,
    TokenizedDocument,
)
from mlm_data.shards import UNFINISHED, WrittenShard, shard_name, write_shard
from mlm_data.statistics import DocumentStatistics, InstanceStatistics
from mlm_data.storage import Storage
from mlm_data.transforms.failures import fail_if_unwritable
from mlm_data.transforms.marks import read_mark, write_mark
from mlm_data.transforms.planning import Bucket, ShardPlan
from mlm_data.transforms.progress import Stage, report
from mlm_data.transforms.storage import BeamStorage
from mlm_data.vocabulary import Vocabulary

# Arrays of this many rows stay in the processor's cache. It decides the order in which random numbers are drawn, and so
# the bytes: never change it lightly.
_INSTANCES_PER_BATCH = 1024


@dataclass(frozen=True, slots=True)
class BuiltBucket:
    """What came of a bucket: its shards in the order of the passes, what was counted, what was rejected."""

    bucket: Bucket
    shards: tuple[WrittenShard, ...]
    documents: DocumentStatistics
    instances: InstanceStatistics
    rejections: tuple[Rejection, ...]

    def to_json(self) -> str:
        """The content of the bucket's mark in an unfinished dataset."""
        return json.dumps(
            {
                "bucket": self.bucket,
                "shards": [dataclasses.asdict(shard) for shard in self.shards],
                "documents": self.documents.to_json(),
                "instances": self.instances.to_json(),
                "rejections": [dataclasses.asdict(rejection) for rejection in self.rejections],
            }
        )

    @classmethod
    def from_json(cls, content: str | bytes) -> Self:
        """Reads what `to_json` gave."""
        values = json.loads(content)
        return cls(
            bucket=Bucket(*values["bucket"]),
            shards=tuple(WrittenShard(**shard) for shard in values["shards"]),
            documents=DocumentStatistics.from_json(values["documents"]),
            instances=InstanceStatistics.from_json(values["instances"]),
            rejections=tuple(Rejection.from_json(rejection) for rejection in values["rejections"]),
        )


@dataclass(eq=False)  # Beam writes notes of its own into transforms
class BuildShards(beam.PTransform):
    """Buckets to shards."""

    settings: Settings
    vocabulary: Vocabulary
    plan: beam.PCollection[ShardPlan]

    def expand(
        self, buckets: beam.PCollection[tuple[Bucket, Iterable[Iterable[TokenizedDocument]]]]
    ) -> beam.PCollection[BuiltBucket]:
        """See `beam.PTransform`."""
        return buckets | "Build shards" >> beam.Map(
            build_group, self.settings, self.vocabulary, beam.pvalue.AsSingleton(self.plan)
        )


def build_group(
    group: tuple[Bucket, Iterable[Iterable[TokenizedDocument]]],
    settings: Settings,
    vocabulary: Vocabulary,
    plan: ShardPlan,
) -> BuiltBucket:
    """Builds one group of the shuffle, unless an earlier run has.

    Raises:
        RunFailedError: its shards cannot be written.
    """
    bucket, parts = Bucket(*group[0]), group[1]
    builder = ShardBuilder(settings, vocabulary, plan, BeamStorage())
    directory = settings.shards.output_dir
    with fail_if_unwritable(f"shards of bucket {bucket.number}", directory):
        built = find_built(builder.storage, directory, bucket)
        if built:
            report(Stage.WRITTEN, len(built.shards))
            return built
        built = builder.build(bucket, itertools.chain.from_iterable(parts))
        write_mark(builder.storage, directory, _mark_name(bucket), built.to_json())
        return built


def find_built(storage: Storage, directory: str, bucket: Bucket) -> BuiltBucket | None:
    """What an earlier run made of a bucket; None if it did not come to its end, or a shard is not what it was."""
    mark = read_mark(storage, directory, _mark_name(bucket))
    if mark is None:
        return None
    built = BuiltBucket.from_json(mark)
    sizes = [[file.size for file in storage.match(f"{directory}/{shard.name}")] for shard in built.shards]
    return built if sizes == [[shard.size] for shard in built.shards] else None


def _mark_name(bucket: Bucket) -> str:
    return f"{UNFINISHED}/built/{bucket.split}-{bucket.number:05d}.json"


@dataclass(frozen=True)
class ShardBuilder:
    """Makes shards of documents, without Beam."""

    settings: Settings
    vocabulary: Vocabulary
    plan: ShardPlan
    storage: Storage

    def build(self, bucket: Bucket, documents: Iterable[TokenizedDocument]) -> BuiltBucket:
        """Writes the shards of one bucket; the order of its documents does not matter.

        Raises:
            OSError: a shard cannot be written.
        """
        pairing = self.settings.pairing
        least_sentences = find_objective(pairing.objective, pairing.parity).least_sentences
        kept, rejections = select_documents(documents, least_sentences)
        make_segments = segment_maker(lay_end_to_end(kept), pairing, self.vocabulary.sep_id)
        passes = self.plan.passes(bucket.split, self.settings.shards.dupe_factor)
        segments = (make_segments(self._generator(bucket, number, "pair")) for number in range(passes))
        written = [self._write_pass(bucket, number, of_pass) for number, of_pass in enumerate(segments)]
        total = sum((statistics for _, statistics in written), start=self._no_instances())
        if not total.instances:
            rejections += [_without_partner(document) for document in kept]
            kept = []
        return BuiltBucket(
            bucket=bucket,
            shards=tuple(itertools.chain.from_iterable(shards for shards, _ in written)),
            documents=DocumentStatistics.of(kept, self.vocabulary.unk_id),
            instances=total,
            rejections=tuple(rejections),
        )

    def _write_pass(
        self, bucket: Bucket, number: int, segments: Segments
    ) -> tuple[list[WrittenShard], InstanceStatistics]:
        """Writes the shards of one pass: one, or one for each length."""
        counted = dataclasses.replace(self._no_instances(), left_out=segments.left_out)
        if not self.settings.pairing.sequence_buckets:
            shard, statistics = self._write_shard(bucket, number, segments)
            return [shard], counted + statistics
        shards = []
        for length, those in split_by_length(segments, self.settings.pairing.sequence_buckets):
            shard, statistics = self._write_shard(bucket, number, those, length)
            shards.append(shard)
            counted += statistics
        return shards, counted

    def _write_shard(
        self, bucket: Bucket, number: int, segments: Segments, length: int | None = None
    ) -> tuple[WrittenShard, InstanceStatistics]:
        """Pass p of bucket b is shard p * buckets + b of its length, so that copies of one text never share a shard."""
        settings, buckets = self.settings.shards, self.plan.buckets[bucket.split]
        passes = self.plan.passes(bucket.split, settings.dupe_factor)
        place = (number * buckets + bucket.number, passes * buckets)
        name = shard_name(bucket.split, *place, settings.compression, length)
        rng = self._generator(bucket, number, "mask", *([] if length is None else [length]))
        features = features_of(self.settings.pairing.objective, self.settings.masking.masking)
        counted = [self._no_instances()]

        def encoded() -> Iterator[EncodedBatch]:
            for batch in self._masked_batches(segments, length or self.settings.pairing.max_seq_length, rng):
                counted[0] += InstanceStatistics.of(batch, self.vocabulary)
                yield encode_batch(batch, settings.feature_names, features)

        shard = write_shard(self.storage, settings.output_dir, name, encoded(), settings.compression)
        report(Stage.WRITTEN, 1)
        return dataclasses.replace(shard, seq_length=length), counted[0]

    def _masked_batches(self, segments: Segments, length: int, rng: np.random.Generator) -> Iterator[InstanceBatch]:
        masking = self.settings.masking_by_length[length]
        for start in range(0, len(segments), _INSTANCES_PER_BATCH):
            some = segments.take(slice(start, start + _INSTANCES_PER_BATCH))
            batch = gather_instances(some, self.vocabulary, length)
            yield mask_tokens(batch, masking, self.vocabulary, rng, self.settings.pairing.parity)

    def _generator(self, bucket: Bucket, number: int, purpose: str, *more: int) -> np.random.Generator:
        return chance.generator(self.settings.shards.random_seed, purpose, bucket.split, bucket.number, number, *more)

    def _no_instances(self) -> InstanceStatistics:
        return InstanceStatistics.none(
            self.settings.pairing.max_seq_length, self.settings.masking.max_predictions_per_seq
        )


def select_documents(
    documents: Iterable[TokenizedDocument], least_sentences: int
) -> tuple[list[TokenizedDocument], list[Rejection]]:
    """The documents to build from in the order of their keys; of equal ones the first by source stays.

    Args:
        documents: in any order.
        least_sentences: of a document; one of fewer is rejected.
    """
    kept: list[TokenizedDocument] = []
    rejections = []
    for document in sorted(documents, key=lambda document: (document.key, document.source, document.index)):
        if kept and kept[-1].key == document.key:
            detail = f"same text as {kept[-1].source}, document {kept[-1].index}"
            rejections.append(Rejection(Reason.DUPLICATE, document.source, document.index, detail))
        elif len(document.sentence_offsets) - 1 < least_sentences:
            detail = "one sentence, where two segments need two at least"
            rejections.append(Rejection(Reason.SINGLE_SENTENCE, document.source, document.index, detail))
        else:
            kept.append(document)
    return kept, rejections


def _without_partner(document: TokenizedDocument) -> Rejection:
    detail = "too few documents in its shard to take a random second segment from; lower --num_shards or add text"
    return Rejection(Reason.NO_PARTNER, document.source, document.index, detail)
