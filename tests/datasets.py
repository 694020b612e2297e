"""Datasets made of the rooms alone, small and quick, to be spoilt by tests in all ways one can think of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mlm_data import chance
from mlm_data.config import Settings, tokens_fingerprint
from mlm_data.dataset_directory import write_config
from mlm_data.examples import encode_batch, feature_values
from mlm_data.examples.decoding import _EXAMPLE_CLASS
from mlm_data.instances import gather_instances
from mlm_data.manifest import Manifest
from mlm_data.masking import mask_tokens
from mlm_data.pairing import lay_end_to_end, make_segments
from mlm_data.records import EncodedBatch, InstanceBatch, TokenizedDocument
from mlm_data.shards import WrittenShard, assign_bucket, shard_name, write_shard
from mlm_data.storage import LocalStorage
from mlm_data.token_store import TokenStore, claim_store
from mlm_data.validation import Verdict, Verification, verify
from mlm_data.vocabulary import Vocabulary
from tests.making import random_documents, vocabulary_content

STORAGE = LocalStorage()
VOCABULARY = Vocabulary.parse(vocabulary_content(), "made up")

PAD, CLS, SEP, MASK = VOCABULARY.pad_id, VOCABULARY.cls_id, VOCABULARY.sep_id, VOCABULARY.mask_id

Columns = dict[str, np.ndarray]


def make_settings(**flags: Any) -> Settings:
    small = {"max_seq_length": 64, "max_predictions_per_seq": 10, "dupe_factor": 3, "short_seq_prob": 0.3}
    return Settings.from_flags({**small, "num_shards": 2, **flags})


def plain_batches(settings: Settings, documents: list[TokenizedDocument]) -> list[InstanceBatch]:
    """Unmasked instances of every shard, pass p of bucket b at p * buckets + b."""
    shards, buckets = settings.shards, settings.shards.num_shards
    by_bucket: list[list[TokenizedDocument]] = [[] for _ in range(buckets)]
    for document in sorted(documents, key=lambda document: document.key):
        by_bucket[assign_bucket(shards.random_seed, document.key, buckets)].append(document)
    corpora = [lay_end_to_end(some) for some in by_bucket]
    batches = []
    for number in range(shards.dupe_factor * buckets):
        corpus = corpora[number % buckets]
        rng = chance.generator(shards.random_seed, "pair", number)
        pairs = make_segments(corpus, settings.pairing, VOCABULARY.sep_id, rng)
        batches.append(gather_instances(pairs, VOCABULARY, settings.pairing.max_seq_length))
    return batches


def masked_batches(settings: Settings, plain: list[InstanceBatch]) -> list[InstanceBatch]:
    seed, parity = settings.shards.random_seed, settings.pairing.parity
    return [
        mask_tokens(batch, settings.masking, VOCABULARY, chance.generator(seed, "mask", number), parity)
        for number, batch in enumerate(plain)
    ]


def encode_columns(columns: Mapping[str, np.ndarray]) -> list[bytes]:
    """Records as protobuf writes them, whatever is in the columns."""
    records = []
    for row in range(len(columns["input_mask"])):
        message = _EXAMPLE_CLASS()
        for name, values in columns.items():
            feature = message.features.feature[name]
            kind = feature.float_list if values.dtype.kind == "f" else feature.int64_list
            kind.value.extend(values[row].tolist())
        records.append(message.SerializeToString(deterministic=True))
    return records


@dataclass(frozen=True)
class Dataset:
    """A dataset on disk, and what it was made of.

    Attributes:
        directory: of the shards.
        settings: of the run.
        documents: all of them.
        tokens_dir: a token store of the documents.
        batches: masked instances of each shard.
    """

    directory: Path
    settings: Settings
    documents: list[TokenizedDocument]
    tokens_dir: Path
    batches: list[InstanceBatch]

    @cached_property
    def names(self) -> list[str]:
        return [shard_name("train", number, len(self.batches)) for number in range(len(self.batches))]

    def columns(self, shard: int) -> Columns:
        """The columns of a shard, to be written to."""
        return {name: values.copy() for name, values in feature_values(self.batches[shard]).items()}

    def write(self, changed: Mapping[int, EncodedBatch] | None = None, **manifest: Any) -> None:
        """Writes all shards, some with other records, and a manifest of what was written."""
        changed = changed or {}
        encoded = [changed[i] if i in changed else encode_batch(batch) for i, batch in enumerate(self.batches)]
        shards = [
            write_shard(STORAGE, str(self.directory), name, [records])
            for name, records in zip(self.names, encoded, strict=True)
        ]
        self.write_manifest(shards, **manifest)

    def write_manifest(self, shards: list[WrittenShard], **changes: Any) -> None:
        manifest = dataclasses.replace(Manifest.of({"train": tuple(shards)}, self.settings, VOCABULARY), **changes)
        (self.directory / "manifest.json").write_text(manifest.to_json())

    def spoil(self, shard: int, change: Callable[[Columns], None]) -> None:
        """Writes the dataset with one shard changed, as if it had been made so."""
        columns = self.columns(shard)
        change(columns)
        self.write({shard: EncodedBatch.of(encode_columns(columns))})


def make_dataset(
    directory: Path,
    documents: list[TokenizedDocument] | None = None,
    mask: Callable[[Settings, list[InstanceBatch]], list[InstanceBatch]] = masked_batches,
    **flags: Any,
) -> Dataset:
    """A sound dataset of some documents of random tokens, written under a directory."""
    settings = make_settings(**flags)
    seed = settings.shards.random_seed
    documents = documents or random_documents(120, sentences=(2, 30), words=(1, 20), seed=seed)
    out, tokens_dir = directory / "out", directory / "tokens"
    claim_store(STORAGE, str(tokens_dir), tokens_fingerprint(settings, VOCABULARY.sha256, []))
    TokenStore(STORAGE, str(tokens_dir), seed).write("tokens-00000", documents)
    batches = mask(settings, plain_batches(settings, documents))
    dataset = Dataset(out, settings, documents, tokens_dir, batches)
    dataset.write()
    (out / "vocab.txt").write_bytes(VOCABULARY.content)
    write_config(STORAGE, str(out), "made up", {"settings": settings.to_flags(), "inputs": []})
    return dataset


def check(dataset: Dataset, **options: Any) -> Verification:
    return verify([str(dataset.directory)], STORAGE, processes=1, **options)


def violated(verification: Verification) -> set[str]:
    return {found.name for found in verification.having(Verdict.VIOLATED)}


def detail(verification: Verification, name: str) -> str:
    (found,) = [found for found in verification.checks if found.name == name]
    return found.detail


def not_made(verification: Verification) -> dict[str, str]:
    return {found.name: found.detail for found in verification.having(Verdict.NOT_MADE)}


def swap_records(dataset: Dataset) -> dict[int, EncodedBatch]:
    """Two records of two buckets and one label, each in the place of the other."""
    shards = [dataset.columns(shard) for shard in (2, 3)]
    one, other = map(encode_columns, shards)
    here, there = (int(np.flatnonzero(columns["next_sentence_labels"][:, 0] == 0)[5]) for columns in shards)
    one[here], other[there] = other[there], one[here]
    return {2: EncodedBatch.of(one), 3: EncodedBatch.of(other)}
