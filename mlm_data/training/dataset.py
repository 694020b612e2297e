"""The dataset a model is trained or judged on, and whether the two fit. Knows nothing of TensorFlow."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from mlm_data.config import MaskingSettings, SettingsError, make_section
from mlm_data.dataset_directory import CONFIG
from mlm_data.manifest import MANIFEST, Manifest
from mlm_data.shards import TRAIN, WrittenShard
from mlm_data.storage import Storage
from mlm_data.vocabulary import Vocabulary

VOCABULARY = "vocab.txt"


@dataclass(frozen=True)
class PretrainingData:
    """A finished dataset of make-pretraining-data.

    Attributes:
        directory: where it lies.
        manifest: what it consists of.
        manifest_sha256: names the data, 64 hexadecimal digits.
        vocabulary: of its ids.
        masking: how its masks were drawn; dynamic masks follow the same rates.
    """

    directory: str
    manifest: Manifest
    manifest_sha256: str
    vocabulary: Vocabulary
    masking: MaskingSettings

    @classmethod
    def load(cls, storage: Storage, directory: str) -> Self:
        """Reads what lies beside the shards.

        Raises:
            SettingsError: there is no finished dataset, or its files are damaged.
        """
        directory = directory.rstrip("/")
        try:
            content = _read(storage, f"{directory}/{MANIFEST}")
        except OSError as error:
            raise SettingsError(
                f"--data_dir {directory} holds no {MANIFEST}; expected a finished dataset of make-pretraining-data. An "
                f"interrupted one is finished by the same command again; shards of other programs are not read, since "
                f"nothing says which vocabulary and labels they have"
            ) from error
        try:
            manifest = Manifest.from_json(content)
            flags = json.loads(_read(storage, f"{directory}/{CONFIG}"))["settings"]
            masking = make_section(MaskingSettings, flags)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingsError(f"--data_dir {directory} is damaged ({error}); make the dataset again") from error
        if manifest.sequence_buckets:
            lengths = " ".join(map(str, manifest.slots_by_length))
            raise SettingsError(
                f"--data_dir {directory} has shards of several lengths ({lengths}); expected one, which is all that is "
                f"trained on here so far: make the dataset without --sequence_buckets"
            )
        vocabulary = Vocabulary.load(f"{directory}/{VOCABULARY}", storage)
        _require_equal(f"{directory}/{VOCABULARY}", "sha256", vocabulary.sha256, manifest.vocab_sha256)
        return cls(directory, manifest, hashlib.sha256(content).hexdigest(), vocabulary, masking)

    @property
    def has_sentence_labels(self) -> bool:
        """Whether instances are pairs with a label, of next sentence or sentence order prediction."""
        return bool(self.manifest.label_meanings)

    def shards(self, split: str) -> tuple[WrittenShard, ...]:
        """The shards of a split in the order of their names.

        Raises:
            SettingsError: it holds no instance.
        """
        shards = self.manifest.shards.get(split, ())
        if not sum(shard.records for shard in shards):
            there = ", ".join(name for name, some in self.manifest.shards.items() if some) or "none"
            hint = "" if split == TRAIN else "; make the dataset with --validation_fraction 0.01, say"
            raise SettingsError(
                f"{self.directory} has no instances in its split {split}; expected one of {there}{hint}"
            )
        return shards

    def has(self, split: str) -> bool:
        """Whether a split holds any instance."""
        return any(shard.records for shard in self.manifest.shards.get(split, ()))

    def passes(self, split: str) -> list[tuple[WrittenShard, ...]]:
        """The shards of a split pass by pass: shard p * buckets + b holds pass p of bucket b."""
        shards = self.shards(split)
        count = self.manifest.dupe_factor if split == TRAIN else 1
        if len(shards) % count:
            raise SettingsError(
                f"{self.directory} has {len(shards)} shards in its split {split}; expected a multiple of its "
                f"dupe_factor, {count}: {MANIFEST} was changed"
            )
        buckets = len(shards) // count
        return [shards[number * buckets : (number + 1) * buckets] for number in range(count)]


@dataclass(frozen=True)
class DataNeeds:
    """What a model has to be given: the data it was trained on says so.

    Attributes:
        vocab_size: entries of the vocabulary.
        vocab_sha256: of the vocabulary.
        do_lower_case: whether text was lower-cased before tokenization.
        label_meanings: what each label of a pair says; empty for instances without.
    """

    vocab_size: int
    vocab_sha256: str
    do_lower_case: bool
    label_meanings: Mapping[str, str]

    @classmethod
    def of(cls, data: PretrainingData) -> Self:
        """What a model trained on this data has to be given ever after."""
        manifest = data.manifest
        return cls(manifest.vocab_size, manifest.vocab_sha256, manifest.do_lower_case, dict(manifest.label_meanings))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `dataclasses.asdict` gave."""
        return cls(**values)

    def check(self, data: PretrainingData) -> None:
        """Refuses data that means something else. Instances without labels mean nothing else by them.

        Raises:
            SettingsError: naming the first difference.
        """
        for field in dataclasses.fields(self):
            found, expected = getattr(DataNeeds.of(data), field.name), getattr(self, field.name)
            if found or field.name != "label_meanings":
                _require_equal(f"--data_dir {data.directory}", field.name, found, expected)


def check_length(data: PretrainingData, max_position_embeddings: int) -> None:
    """Refuses instances a model cannot read.

    Raises:
        SettingsError: they may be longer than the model's longest sequence.
    """
    if data.manifest.max_seq_length > max_position_embeddings:
        raise SettingsError(
            f"--data_dir {data.directory} has instances of {data.manifest.max_seq_length} tokens; expected at most "
            f"{max_position_embeddings}, the model's max_position_embeddings; give a new model more of them, or make "
            f"shorter instances"
        )


def check_masks(data: PretrainingData, masking: str) -> None:
    """Refuses data that has no masks where `--masking` wants them.

    Raises:
        SettingsError: there is nothing to predict.
    """
    if data.manifest.masking == "none" and masking == "static":
        raise SettingsError(f"--data_dir {data.directory} has no masks; draw them in training with --masking dynamic")
    if data.manifest.max_predictions_per_seq < 1:
        raise SettingsError(f"--data_dir {data.directory} has no mask slots; make it with --max_predictions_per_seq")


def _require_equal(where: str, what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise SettingsError(f"{where} has {what} {found}; expected {expected}, with which the model was trained")


def _read(storage: Storage, path: str) -> bytes:
    with storage.open_for_reading(path) as file:
        return file.read()
