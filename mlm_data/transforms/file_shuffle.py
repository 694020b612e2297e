"""The shuffle by files: flat memory, and finished work is not done again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from mlm_data.config import Settings, ShardsSettings
from mlm_data.corpora import FileRange
from mlm_data.records import Rejection, TokenizedDocument
from mlm_data.shards import assign_split
from mlm_data.token_store import TokenStore
from mlm_data.transforms.failures import fail_if_unwritable
from mlm_data.transforms.marks import read_mark, write_mark
from mlm_data.transforms.planning import Bucket, CorpusMeter, CorpusSize, ShardPlan, merge_sizes, plan_shards
from mlm_data.transforms.prepare import Preparer
from mlm_data.transforms.progress import Stage, report
from mlm_data.transforms.shuffled import Shuffled
from mlm_data.transforms.storage import BeamStorage
from mlm_data.vocabulary import Vocabulary

# A task leaves at least one file in the store, which every bucket opens: a large corpus has larger tasks, not more.
_SMALLEST_TASK, _USUAL_TASK, _LARGEST_TASK = 2_000_000, 16_000_000, 64_000_000  # bytes
_FEW_TASKS, _MANY_TASKS = 24, 256
_BYTES_PER_PART = 128_000_000  # what a task holds in memory before it writes it down
_BYTES_PER_DOCUMENT = 500  # of that, besides arrays: most of it where documents are short lines


@dataclass(frozen=True, slots=True)
class PrepareTask:
    """Some files or parts of files to prepare in one go; done once or not at all."""

    name: str
    ranges: tuple[FileRange, ...]

    @property
    def size(self) -> int:
        """In bytes, as they lie."""
        return sum(file_range.size for file_range in self.ranges)


@dataclass(frozen=True, slots=True)
class StoredTask:
    """What came of a task: the files of the store it wrote, their size, and what was rejected."""

    parts: tuple[str, ...]
    size: CorpusSize
    rejections: tuple[Rejection, ...]

    def to_json(self, task: PrepareTask) -> str:
        """The content of the task's mark in the store."""
        return json.dumps({"ranges": _as_json(task.ranges), **dataclasses.asdict(self)})

    @classmethod
    def from_json(cls, content: str | bytes, task: PrepareTask) -> StoredTask | None:
        """Reads a mark; None if it is that of other ranges."""
        values: dict[str, Any] = json.loads(content)
        if values.get("ranges") != _as_json(task.ranges):
            return None
        size = values["size"] | {"failures": tuple(tuple(failure) for failure in values["size"]["failures"])}
        rejections = tuple(Rejection.from_json(item) for item in values["rejections"])
        return cls(tuple(values["parts"]), CorpusSize(**size), rejections)


def _as_json(ranges: Sequence[FileRange]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(file_range) for file_range in ranges]


@dataclass(eq=False)  # Beam writes notes of its own into transforms
class FileShuffle(beam.PTransform):
    """Tasks to buckets of tokenized documents, through a token store."""

    settings: Settings
    vocabulary: Vocabulary
    directory: str  # of the store

    def expand(self, tasks: beam.PCollection[PrepareTask]) -> Shuffled:
        """See `beam.PTransform`."""
        shards = self.settings.shards
        stored = (
            tasks
            | "Spread tasks over workers" >> beam.Reshuffle()
            | "Store tokens" >> beam.ParDo(StoreTokens(self.settings, self.vocabulary, self.directory))
        )
        plan = (
            stored
            | "Take sizes" >> beam.Map(take_size)
            | "Measure" >> beam.CombineGlobally(merge_sizes)
            | "Plan shards" >> beam.Map(plan_shards, shards, len(self.settings.masking_by_length))
        )
        parts = stored | "List parts" >> beam.FlatMap(list_parts)
        buckets = (
            plan
            | "List buckets" >> beam.FlatMap(list_buckets)
            | "Spread buckets over workers" >> beam.Reshuffle()
            | "Find documents"
            >> beam.Map(
                find_documents, shards, self.directory, beam.pvalue.AsSingleton(plan), beam.pvalue.AsList(parts)
            )
        )
        return Shuffled(buckets, stored | "Take rejections" >> beam.FlatMap(take_rejections), plan)


def plan_tasks(ranges: Sequence[FileRange]) -> list[PrepareTask]:
    """Puts ranges, in the order given, into tasks of about the same size, as their sizes alone decide.

    A dozen tasks or more are a multiple of a dozen, so that 2, 3, 4, 6 or 12 processes get equal shares.
    """
    total = sum(file_range.size for file_range in ranges)
    wanted = min(max(total // _FEW_TASKS, _SMALLEST_TASK), _USUAL_TASK)
    number = total // min(max(total // _MANY_TASKS, wanted), _LARGEST_TASK)
    number = max(number - number % 12 if number > 12 else number, 1)
    tasks: list[PrepareTask] = []
    waiting: list[FileRange] = []
    size, left = 0, total
    for file_range in ranges:
        waiting.append(file_range)
        size += file_range.size
        if size and size * (number - len(tasks)) >= left:
            tasks.append(_task(len(tasks), waiting))
            waiting, size, left = [], 0, left - size
    return [*tasks, _task(len(tasks), waiting)] if waiting else tasks


def _task(number: int, ranges: Sequence[FileRange]) -> PrepareTask:
    return PrepareTask(f"tokens-{number:05d}", tuple(ranges))


class StoreTokens(beam.DoFn):
    """Prepares the ranges of a task and writes them to the store, unless that was done by an earlier run."""

    def __init__(self, settings: Settings, vocabulary: Vocabulary, directory: str) -> None:
        self._settings = settings
        self._vocabulary = vocabulary
        self._directory = directory

    def setup(self) -> None:
        """See `beam.DoFn`."""
        self._storage = BeamStorage()
        self._preparer = Preparer(self._settings, self._vocabulary, self._storage)

    def process(self, task: PrepareTask) -> Iterator[StoredTask]:
        """See `beam.DoFn`."""
        mark = read_mark(self._storage, self._directory, _mark_name(task))
        done = StoredTask.from_json(mark, task) if mark is not None else None
        if done:
            report(Stage.READ, task.size)
            yield done
            return
        with fail_if_unwritable("tokens", self._directory):
            stored = self._store(task)
            write_mark(self._storage, self._directory, _mark_name(task), stored.to_json(task))
        yield stored

    def _store(self, task: PrepareTask) -> StoredTask:
        meter = CorpusMeter(self._settings.shards)
        rejections: list[Rejection] = []
        parts: list[str] = []
        waiting: list[TokenizedDocument] = []
        size = 0
        for item in self._preparer.prepare_ranges(task.ranges):
            meter.add(item)
            if isinstance(item, Rejection):
                rejections.append(item)
                continue
            waiting.append(item)
            size += item.ids.nbytes + item.sentence_offsets.nbytes + _BYTES_PER_DOCUMENT
            if size >= _BYTES_PER_PART:
                parts.append(self._write(task, len(parts), waiting))
                waiting, size = [], 0
        if waiting:
            parts.append(self._write(task, len(parts), waiting))
        return StoredTask(tuple(parts), meter.size, tuple(rejections))

    def _write(self, task: PrepareTask, number: int, documents: Sequence[TokenizedDocument]) -> str:
        name = f"{task.name}-{number:05d}"
        TokenStore(self._storage, self._directory, self._settings.shards.random_seed).write(name, documents)
        return name


def _mark_name(task: PrepareTask) -> str:
    return f"{task.name}.json"


@dataclass(frozen=True, slots=True)
class StoredDocuments:
    """The documents of a bucket, read from the store each time they are gone through."""

    bucket: Bucket
    buckets: int
    settings: ShardsSettings
    directory: str
    parts: tuple[str, ...]

    def __iter__(self) -> Iterator[TokenizedDocument]:
        settings = self.settings
        store = TokenStore(BeamStorage(), self.directory, settings.random_seed)
        for document in store.read(self.parts, self.bucket.number, self.buckets):
            if assign_split(settings.random_seed, document.key, settings.validation_fraction) == self.bucket.split:
                yield document


def find_documents(
    bucket: Bucket, settings: ShardsSettings, directory: str, plan: ShardPlan, parts: Sequence[str]
) -> tuple[Bucket, list[StoredDocuments]]:
    """A bucket and where its documents are."""
    return bucket, [StoredDocuments(bucket, plan.buckets[bucket.split], settings, directory, tuple(sorted(parts)))]


def take_size(stored: StoredTask) -> CorpusSize:
    """The size of what a task stored."""
    return stored.size


def take_rejections(stored: StoredTask) -> tuple[Rejection, ...]:
    """What a task rejected."""
    return stored.rejections


def list_parts(stored: StoredTask) -> tuple[str, ...]:
    """The files a task wrote."""
    return stored.parts


def list_buckets(plan: ShardPlan) -> list[Bucket]:
    """Every bucket."""
    return plan.list_buckets()
