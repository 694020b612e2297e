"""Where this project's own CPU time goes: its rooms run one after another in one process, without Beam."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from benchmarks.contenders import DatasetSettings
from benchmarks.text import BenchmarkText
from mlm_data import chance
from mlm_data.cleaning import clean_document, document_key
from mlm_data.config import CorporaSettings, Settings
from mlm_data.corpora import plan_inputs, read_documents
from mlm_data.examples import encode_batch, features_of
from mlm_data.instances import gather_instances
from mlm_data.masking import mask_tokens
from mlm_data.objectives import find_objective
from mlm_data.pairing import SegmentMaker, lay_end_to_end, segment_maker
from mlm_data.records import Document, EncodedBatch, Layout, SplitDocument, TokenizedDocument
from mlm_data.sentences import SentenceSplitter, split_lines
from mlm_data.shards import TRAIN, assign_bucket, choose_buckets, shard_name, write_shard
from mlm_data.statistics import InstanceStatistics
from mlm_data.storage import LocalStorage
from mlm_data.vocabulary import Vocabulary
from mlm_data.wordpiece import WordpieceTokenizer

STAGES = ("read", "clean", "split", "tokenize", "pair", "gather", "mask", "count", "encode", "write")
_CHARACTERS_PER_BATCH = 500_000
_INSTANCES_PER_BATCH = 1024

Item = TypeVar("Item")


@dataclass
class Stopwatch:
    """CPU seconds of this process by stage."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Counts what the block takes."""
        started = time.process_time()
        yield
        self.seconds[stage] += time.process_time() - started

    def each(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        """Counts what it takes to get the items."""
        iterator = iter(items)
        while True:
            with self.time(stage):
                found = next(iterator, None)
            if found is None:
                return
            yield found


def time_stages(text: BenchmarkText, dataset: DatasetSettings, directory: Path) -> dict[str, float]:
    """Makes the dataset with the rooms alone.

    Args:
        text: what it is made of.
        dataset: what is made.
        directory: where the shards are written.

    Returns:
        CPU seconds by stage, in the order of `STAGES`. Start-up, the engine's own work, and what is written beside the
        shards are in none of them.
    """
    flags = {**vars(dataset), "input": list(text.inputs), "output_dir": str(directory)}
    settings = Settings.from_flags(flags)
    vocabulary = Vocabulary.load(dataset.vocab_file, LocalStorage())
    watch = Stopwatch()
    documents = list(prepare(settings, vocabulary, watch))
    buckets = choose_buckets(len(documents), sum(len(document.ids) for document in documents))
    builder = _Builder(settings, vocabulary, buckets, watch)

    def bucket_of(document: TokenizedDocument) -> int:
        return assign_bucket(settings.shards.random_seed, document.key, buckets)

    ordered = sorted(documents, key=lambda document: (bucket_of(document), document.key))
    for bucket, members in groupby(ordered, key=bucket_of):
        builder.build(bucket, list(members))
    return {stage: watch.seconds[stage] for stage in STAGES}


def prepare(settings: Settings, vocabulary: Vocabulary, watch: Stopwatch) -> Iterator[TokenizedDocument]:
    """Reads, cleans, splits and tokenizes the input."""
    splitter, tokenizer = SentenceSplitter(settings.sentences), WordpieceTokenizer(vocabulary, settings.wordpiece)
    for batch in _batches(watch.each("read", _read(settings.corpora))):
        with watch.time("clean"):
            cleaned = [item for item in map(clean_document, batch) if isinstance(item, Document)]
        with watch.time("split"):
            split = [_split(document, splitter) for document in cleaned]
        with watch.time("tokenize"):
            tokenized = tokenizer.tokenize(split)
        yield from tokenized


def _read(settings: CorporaSettings) -> Iterator[Document]:
    storage = LocalStorage()
    for file in plan_inputs(settings, storage):
        yield from (item for item in read_documents(file, settings, storage) if isinstance(item, Document))


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    characters = 0
    for document in documents:
        batch.append(document)
        characters += len(document.text)
        if characters >= _CHARACTERS_PER_BATCH:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _split(document: Document, splitter: SentenceSplitter) -> SplitDocument:
    sentences = (split_lines if document.layout is Layout.SENTENCES else splitter.split)(document.text)
    return SplitDocument(document_key(document.text), document.source, document.index, sentences)


@dataclass(frozen=True)
class _Builder:
    settings: Settings
    vocabulary: Vocabulary
    buckets: int
    watch: Stopwatch

    def build(self, bucket: int, documents: Sequence[TokenizedDocument]) -> None:
        with self.watch.time("pair"):
            pairing = self.settings.pairing
            least = find_objective(pairing.objective, pairing.parity).least_sentences
            corpus = lay_end_to_end([document for document in documents if len(document.sentence_offsets) > least])
            make_segments = segment_maker(corpus, pairing, self.vocabulary.sep_id)
        shards, passes = self.settings.shards, self.settings.shards.dupe_factor
        for number in range(passes):
            name = shard_name(TRAIN, number * self.buckets + bucket, passes * self.buckets)
            encoded = list(self._encode(make_segments, bucket, number))
            with self.watch.time("write"):
                write_shard(LocalStorage(), shards.output_dir, name, encoded)

    def _encode(self, make_segments: SegmentMaker, bucket: int, number: int) -> Iterator[EncodedBatch]:
        seed, watch = self.settings.shards.random_seed, self.watch
        with watch.time("pair"):
            pair_rng = chance.generator(seed, "pair", TRAIN, bucket, number)
            segments = make_segments(pair_rng)
        rng = chance.generator(seed, "mask", TRAIN, bucket, number)
        for start in range(0, len(segments), _INSTANCES_PER_BATCH):
            with watch.time("gather"):
                some = segments.take(slice(start, start + _INSTANCES_PER_BATCH))
                batch = gather_instances(some, self.vocabulary, self.settings.pairing.max_seq_length)
            with watch.time("mask"):
                masked = mask_tokens(batch, self.settings.masking, self.vocabulary, rng, self.settings.pairing.parity)
            with watch.time("count"):
                InstanceStatistics.of(masked, self.vocabulary)
            with watch.time("encode"):
                features = features_of(self.settings.pairing.objective, self.settings.masking.masking)
                encoded = encode_batch(masked, features=features)
            yield encoded
