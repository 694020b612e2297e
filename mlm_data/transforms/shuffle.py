"""Documents find their bucket by the hash of their content, whatever file, order or worker they came from."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import apache_beam as beam

from mlm_data.config import ShardsSettings
from mlm_data.records import Rejection, TokenizedDocument
from mlm_data.shards import TRAIN, assign_bucket, assign_split, choose_buckets
from mlm_data.transforms.failures import RunFailedError
from mlm_data.transforms.progress import Stage, report

_EXAMPLES_SHOWN = 3


class Bucket(NamedTuple):
    """Where documents meet: bucket `number` of a split."""

    split: str
    number: int


@dataclass(frozen=True)
class CorpusSize:
    """What has been prepared: documents and tokens by split, and what could not be read.

    Attributes:
        documents: by split.
        tokens: by split.
        rejected: documents rejected so far, for whatever reason.
        failed: of these, how many count as failures.
        failures: the first of them by source, for the message.
    """

    documents: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    rejected: int = 0
    failed: int = 0
    failures: tuple[tuple[str, int, str], ...] = ()


class MeasureCorpus(beam.CombineFn):
    """Adds up a `CorpusSize`, exactly."""

    def __init__(self, settings: ShardsSettings) -> None:
        self._settings = settings

    def create_accumulator(self) -> CorpusSize:
        """See `beam.CombineFn`."""
        return CorpusSize()

    def add_input(self, size: CorpusSize, item: TokenizedDocument | Rejection) -> CorpusSize:
        """See `beam.CombineFn`."""
        return self.merge_accumulators([size, self._measure(item)])

    def merge_accumulators(self, sizes: Iterable[CorpusSize]) -> CorpusSize:
        """See `beam.CombineFn`."""
        sizes = list(sizes)
        return CorpusSize(
            documents=_add(size.documents for size in sizes),
            tokens=_add(size.tokens for size in sizes),
            rejected=sum(size.rejected for size in sizes),
            failed=sum(size.failed for size in sizes),
            failures=tuple(sorted(itertools.chain(*(size.failures for size in sizes)))[:_EXAMPLES_SHOWN]),
        )

    def extract_output(self, size: CorpusSize) -> CorpusSize:
        """See `beam.CombineFn`."""
        return size

    def _measure(self, item: TokenizedDocument | Rejection) -> CorpusSize:
        if isinstance(item, TokenizedDocument):
            split = assign_split(self._settings.random_seed, item.key, self._settings.validation_fraction)
            return CorpusSize({split: 1}, {split: len(item.ids)})
        if not item.reason.is_failure:
            return CorpusSize(rejected=1)
        return CorpusSize(rejected=1, failed=1, failures=((item.source, item.index, f"{item.reason}: {item.detail}"),))


@dataclass(frozen=True)
class ShardPlan:
    """How many buckets each split has."""

    buckets: Mapping[str, int]

    def passes(self, split: str, dupe_factor: int) -> int:
        """How many shards each bucket of a split gives; held-out text is written once."""
        return dupe_factor if split == TRAIN else 1


def plan_shards(size: CorpusSize, settings: ShardsSettings) -> ShardPlan:
    """Decides the number of buckets by content alone.

    Raises:
        RunFailedError: too much of the input could not be read, or none of it is left.
    """
    kept = sum(size.documents.values())
    read = kept + size.rejected
    if size.failed > settings.max_error_rate * read:
        examples = "".join(f"\n  {source}, document {index}: {what}" for source, index, what in size.failures)
        raise RunFailedError(
            f"{size.failed} of {read} documents could not be read ({size.failed / read:.2%}), more than "
            f"--max_error_rate {settings.max_error_rate} allows:{examples}\n"
            f"Mend or leave out these inputs, or raise --max_error_rate to go on without them."
        )
    if not kept:
        raise RunFailedError(f"no text was found in the input ({read} documents read, none of use); see --plan.")
    buckets = {
        split: settings.num_shards or choose_buckets(size.documents[split], size.tokens[split])
        for split in size.documents
    }
    plan = ShardPlan(buckets)
    report(Stage.PLANNED, sum(count * plan.passes(split, settings.dupe_factor) for split, count in buckets.items()))
    return plan


@dataclass(eq=False)  # Beam writes notes of its own into transforms
class ShuffleByContent(beam.PTransform):
    """Documents to buckets, through the engine's own GroupByKey; buckets without documents come too."""

    settings: ShardsSettings
    plan: beam.PCollection[ShardPlan]

    def expand(
        self, documents: beam.PCollection[TokenizedDocument]
    ) -> beam.PCollection[tuple[Bucket, Iterable[list[TokenizedDocument]]]]:
        """See `beam.PTransform`."""
        assigned = documents | "Assign buckets" >> beam.Map(
            assign, self.settings, beam.pvalue.AsSingleton(self.plan)
        ).with_output_types(tuple[tuple[str, int], list[TokenizedDocument]])
        every = self.plan | "List buckets" >> beam.FlatMap(empty_buckets).with_output_types(
            tuple[tuple[str, int], list[TokenizedDocument]]
        )
        return (assigned, every) | "Join" >> beam.Flatten() | "Group by bucket" >> beam.GroupByKey()


def assign(
    document: TokenizedDocument, settings: ShardsSettings, plan: ShardPlan
) -> tuple[Bucket, list[TokenizedDocument]]:
    """A document under its bucket."""
    split = assign_split(settings.random_seed, document.key, settings.validation_fraction)
    return Bucket(split, assign_bucket(settings.random_seed, document.key, plan.buckets[split])), [document]


def empty_buckets(plan: ShardPlan) -> Iterator[tuple[Bucket, list[TokenizedDocument]]]:
    """Every bucket, so that each shard is written even if no document falls to it."""
    for split, buckets in plan.buckets.items():
        for index in range(buckets):
            yield Bucket(split, index), []


def _add(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for split, count in itertools.chain.from_iterable(part.items() for part in counts):
        total[split] = total.get(split, 0) + count
    return dict(sorted(total.items()))
