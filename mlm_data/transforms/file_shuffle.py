"""The shuffle by files: flat memory, and finished work is not done again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from mlm_data.config import Settings, ShardsSettings
from mlm_data.corpora import InputFile
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

_BYTES_PER_TASK = 8_000_000
_TOKENS_PER_PART = 16_000_000  # what a task holds in memory before it writes it down: 32 MB, 64 with large vocabularies


@dataclass(frozen=True, slots=True)
class PrepareTask:
    """Some files to prepare in one go; done once or not at all."""

    name: str
    files: tuple[InputFile, ...]


@dataclass(frozen=True, slots=True)
class StoredTask:
    """What came of a task: the files of the store it wrote, their size, and what was rejected."""

    parts: tuple[str, ...]
    size: CorpusSize
    rejections: tuple[Rejection, ...]

    def to_json(self, task: PrepareTask) -> str:
        """The content of the task's mark in the store."""
        return json.dumps({"files": [dataclasses.asdict(file) for file in task.files], **dataclasses.asdict(self)})

    @classmethod
    def from_json(cls, content: str | bytes, task: PrepareTask) -> StoredTask | None:
        """Reads a mark; None if it is that of other files."""
        values: dict[str, Any] = json.loads(content)
        if values["files"] != [dataclasses.asdict(file) for file in task.files]:
            return None
        size = values["size"] | {"failures": tuple(tuple(failure) for failure in values["size"]["failures"])}
        rejections = tuple(Rejection.from_json(item) for item in values["rejections"])
        return cls(tuple(values["parts"]), CorpusSize(**size), rejections)


@dataclass(eq=False)  # Beam writes notes of its own into transforms
class FileShuffle(beam.PTransform):
    """Files to buckets of tokenized documents, through a token store."""

    settings: Settings
    vocabulary: Vocabulary
    directory: str  # of the store

    def expand(self, files: beam.PCollection[PrepareTask]) -> Shuffled:
        """See `beam.PTransform`."""
        shards = self.settings.shards
        stored = (
            files
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


def plan_tasks(files: Sequence[InputFile]) -> list[PrepareTask]:
    """Puts files, in the order of their paths, into tasks of some megabytes each."""
    tasks: list[PrepareTask] = []
    waiting: list[InputFile] = []
    size = 0
    for file in files:
        waiting.append(file)
        size += file.size
        if size >= _BYTES_PER_TASK:
            tasks.append(PrepareTask(f"tokens-{len(tasks):05d}", tuple(waiting)))
            waiting, size = [], 0
    if waiting:
        tasks.append(PrepareTask(f"tokens-{len(tasks):05d}", tuple(waiting)))
    return tasks


class StoreTokens(beam.DoFn):
    """Prepares the files of a task and writes them to the store, unless that was done by an earlier run."""

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
            report(Stage.READ, sum(file.size for file in task.files))
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
        tokens = 0
        for item in self._preparer.prepare_files(task.files):
            meter.add(item)
            if isinstance(item, Rejection):
                rejections.append(item)
                continue
            waiting.append(item)
            tokens += len(item.ids)
            if tokens >= _TOKENS_PER_PART:
                parts.append(self._write(task, len(parts), waiting))
                waiting, tokens = [], 0
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
