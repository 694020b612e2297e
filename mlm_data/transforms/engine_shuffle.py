"""The shuffle by the runner's own GroupByKey: for engines that spill to disk and spread over machines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from mlm_data.config import Settings, ShardsSettings
from mlm_data.corpora import FileRange
from mlm_data.records import TokenizedDocument
from mlm_data.shards import assign_bucket, assign_split
from mlm_data.transforms import coders
from mlm_data.transforms.planning import Bucket, CorpusMeter, ShardPlan, merge_sizes, plan_shards
from mlm_data.transforms.prepare import Preparer
from mlm_data.transforms.shuffled import Shuffled
from mlm_data.transforms.storage import BeamStorage
from mlm_data.vocabulary import Vocabulary

coders.register()

_REJECTIONS, _SIZES = "rejections", "sizes"
_KEYED = tuple[tuple[str, int], list[TokenizedDocument]]


@dataclass(eq=False)  # Beam writes notes of its own into transforms
class EngineShuffle(beam.PTransform):
    """Files, or parts of files, to buckets of tokenized documents."""

    settings: Settings
    vocabulary: Vocabulary

    def expand(self, ranges: beam.PCollection[FileRange]) -> Shuffled:
        """See `beam.PTransform`."""
        prepared = (
            ranges
            | "Spread ranges over workers" >> beam.Reshuffle()
            | "Prepare documents"
            >> beam.ParDo(PrepareDocuments(self.settings, self.vocabulary))
            .with_outputs(_REJECTIONS, _SIZES, main="documents")
            .with_output_types(TokenizedDocument)
        )
        plan = (
            prepared[_SIZES]
            | "Measure" >> beam.CombineGlobally(merge_sizes)
            | "Plan shards" >> beam.Map(plan_shards, self.settings.shards, len(self.settings.masking_by_length))
        )
        assigned = prepared["documents"] | "Assign buckets" >> beam.Map(
            assign, self.settings.shards, beam.pvalue.AsSingleton(plan)
        ).with_output_types(_KEYED)
        every = plan | "List buckets" >> beam.FlatMap(empty_buckets).with_output_types(_KEYED)
        groups = (assigned, every) | "Join" >> beam.Flatten() | "Group by bucket" >> beam.GroupByKey()
        return Shuffled(groups, prepared[_REJECTIONS], plan)


class PrepareDocuments(beam.DoFn):
    """A file or a part of one to tokenized documents, rejections, and at the end the size of what it gave."""

    def __init__(self, settings: Settings, vocabulary: Vocabulary) -> None:
        self._settings = settings
        self._vocabulary = vocabulary

    def setup(self) -> None:
        """See `beam.DoFn`."""
        self._preparer = Preparer(self._settings, self._vocabulary, BeamStorage())

    def process(self, part: FileRange) -> Iterator[TokenizedDocument | beam.pvalue.TaggedOutput]:
        """See `beam.DoFn`."""
        meter = CorpusMeter(self._settings.shards)
        for item in self._preparer.prepare_ranges([part]):
            meter.add(item)
            yield item if isinstance(item, TokenizedDocument) else beam.pvalue.TaggedOutput(_REJECTIONS, item)
        yield beam.pvalue.TaggedOutput(_SIZES, meter.size)


def assign(
    document: TokenizedDocument, settings: ShardsSettings, plan: ShardPlan
) -> tuple[Bucket, list[TokenizedDocument]]:
    """A document under its bucket."""
    split = assign_split(settings.random_seed, document.key, settings.validation_fraction)
    return Bucket(split, assign_bucket(settings.random_seed, document.key, plan.buckets[split])), [document]


def empty_buckets(plan: ShardPlan) -> Iterator[tuple[Bucket, list[TokenizedDocument]]]:
    """Every bucket, so that each shard is written even if no document falls to it."""
    return ((bucket, []) for bucket in plan.list_buckets())
