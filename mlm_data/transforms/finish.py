"""The last step: rejections, statistics and all that lies beside the shards; the manifest closes the dataset."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from mlm_data.config import Settings
from mlm_data.dataset_card import render_card
from mlm_data.manifest import MANIFEST, Manifest
from mlm_data.objectives import find_objective
from mlm_data.records import Rejection
from mlm_data.report import render_report
from mlm_data.shards import TRAIN, UNFINISHED, VALIDATION, WrittenShard, atomic_file
from mlm_data.statistics import STATISTICS, DocumentStatistics, InstanceStatistics
from mlm_data.storage import Storage
from mlm_data.tfds_metadata import is_readable, render_dataset_info, render_features
from mlm_data.transforms.build import BuiltBucket
from mlm_data.transforms.failures import RunFailedError, fail_if_unwritable
from mlm_data.transforms.storage import BeamStorage
from mlm_data.vocabulary import Vocabulary

REJECTS = "rejects"


@dataclass(eq=False)  # Beam writes notes of its own into transforms
class WriteRejections(beam.PTransform):
    """Rejections to `rejects/REASON.jsonl`, and how many there are by reason."""

    output_dir: str

    def expand(self, rejections: beam.PCollection[Rejection]) -> beam.PCollection[tuple[str, int]]:
        """See `beam.PTransform`."""
        return (
            rejections
            | "Key by reason" >> beam.Map(by_reason).with_output_types(tuple[str, Rejection])
            | "Group by reason" >> beam.GroupByKey()
            | "Write rejections" >> beam.Map(write_rejections, self.output_dir).with_output_types(tuple[str, int])
        )


def by_reason(rejection: Rejection) -> tuple[str, Rejection]:
    """A rejection under the name of its reason."""
    return str(rejection.reason), rejection


def write_rejections(group: tuple[str, Iterable[Rejection]], output_dir: str) -> tuple[str, int]:
    """Writes the rejections of one reason, by source and place, and counts them."""
    reason, rejections = group
    ordered = sorted(rejections, key=lambda rejection: (rejection.source, rejection.index, rejection.detail))
    lines = (json.dumps(dataclasses.asdict(rejection), ensure_ascii=False) + "\n" for rejection in ordered)
    name = f"{REJECTS}/{reason}.jsonl"
    with fail_if_unwritable(name, output_dir), atomic_file(BeamStorage(), output_dir, name) as file:
        for line in lines:
            file.write(line.encode("utf-8", "backslashreplace"))
    return reason, len(ordered)


@dataclass(eq=False)  # Beam writes notes of its own into transforms
class FinishDataset(beam.PTransform):
    """Writes what lies beside the shards once all of them are there."""

    settings: Settings
    vocabulary: Vocabulary
    rejection_counts: beam.PCollection[tuple[str, int]]

    def expand(self, built: beam.PCollection[BuiltBucket]) -> beam.PCollection[str]:
        """See `beam.PTransform`."""
        return (
            built.pipeline
            | "Wait for the shards" >> beam.Create([None])
            | "Write the manifest"
            >> beam.Map(
                finish,
                self.settings,
                self.vocabulary,
                beam.pvalue.AsList(built),
                beam.pvalue.AsDict(self.rejection_counts),
            )
        )


def finish(
    _: None,
    settings: Settings,
    vocabulary: Vocabulary,
    built: Sequence[BuiltBucket],
    rejection_counts: Mapping[str, int],
) -> str:
    """Writes all files but shards and rejections, the manifest last; gives the manifest's path.

    Raises:
        RunFailedError: no instance was made, or a file cannot be written.
    """
    documents = sum((part.documents for part in built), start=DocumentStatistics())
    documents = dataclasses.replace(documents, rejections=dict(sorted(rejection_counts.items())))
    instances = instances_by_split(built)
    _check_splits(instances, documents, settings)
    manifest = Manifest.of(shards_by_split(built), settings, vocabulary)
    statistics = {
        "documents": documents.to_json(),
        "instances": {split: part.to_json() for split, part in instances.items()},
        **_count_lengths(instances, settings.pairing.sequence_buckets),
    }
    contents = {
        "vocab.txt": vocabulary.content,
        STATISTICS: json.dumps(statistics, indent=1).encode() + b"\n",
        **_tfds_files(manifest),
        "README.md": render_card(manifest, settings, documents, instances).encode(),
        "report.html": render_report(manifest, settings, documents, instances).encode(),
        MANIFEST: manifest.to_json().encode(),
    }
    with fail_if_unwritable("what lies beside the shards", settings.shards.output_dir):
        return write_all(BeamStorage(), settings.shards.output_dir, contents)


def _count_lengths(instances: Mapping[str, InstanceStatistics], lengths: Sequence[int]) -> dict[str, Any]:
    """Instances, tokens and padding by split and length, where there are several."""
    if not lengths:
        return {}
    counts = {split: part.by_length(lengths) for split, part in instances.items()}
    return {
        "lengths": {
            split: [dataclasses.asdict(count) | {"padding": count.padding} for count in of_split]
            for split, of_split in counts.items()
        }
    }


def _check_splits(
    instances: Mapping[str, InstanceStatistics], documents: DocumentStatistics, settings: Settings
) -> None:
    """Refuses a dataset without instances where some were asked for: programs would train or evaluate on nothing."""
    pairing = settings.pairing
    if not (TRAIN in instances and instances[TRAIN].instances):
        raise RunFailedError(
            f"{documents.read} documents were read, but no training instance could be made: "
            f"{', '.join(f'{count} {reason}' for reason, count in documents.rejections.items())}. Objective "
            f"{pairing.objective} needs {find_objective(pairing.objective, pairing.parity).needs}; if one file holds "
            f"many documents, name its format, as in --input paragraphs:FILE, or lower --num_shards."
        )
    if settings.shards.validation_fraction and not (VALIDATION in instances and instances[VALIDATION].instances):
        raise RunFailedError(
            f"--validation_fraction {settings.shards.validation_fraction} of {documents.read} documents is too little "
            f"to make a validation instance of; raise it, or leave it out."
        )


def _tfds_files(manifest: Manifest) -> dict[str, bytes]:
    if not is_readable(manifest):
        return {}
    return {
        "features.json": render_features(manifest).encode(),
        "dataset_info.json": render_dataset_info(manifest).encode(),
    }


def write_all(storage: Storage, output_dir: str, contents: Mapping[str, bytes]) -> str:
    """Writes files in the order given, each atomically, then clears what unfinished runs left; gives the last path."""
    path = ""
    for name, content in contents.items():
        with atomic_file(storage, output_dir, name) as file:
            file.write(content)
        path = f"{output_dir}/{name}"
    storage.delete(f"{output_dir}/{UNFINISHED}")
    return path


def shards_by_split(built: Iterable[BuiltBucket]) -> dict[str, tuple[WrittenShard, ...]]:
    """All shards by split, in the order of their names, of several lengths the shorter first."""
    splits = sorted({part.bucket.split for part in built})
    return {
        split: tuple(
            sorted(
                (shard for part in built if part.bucket.split == split for shard in part.shards),
                key=lambda shard: (shard.seq_length or 0, shard.name),
            )
        )
        for split in splits
    }


def instances_by_split(built: Sequence[BuiltBucket]) -> dict[str, InstanceStatistics]:
    """Instances counted over all shards of each split."""
    totals: dict[str, InstanceStatistics] = {}
    for part in sorted(built, key=lambda part: part.bucket):
        split = part.bucket.split
        totals[split] = totals[split] + part.instances if split in totals else part.instances
    return totals
