"""The dataset a model is trained or judged on, and whether the two fit. Knows nothing of TensorFlow."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from mlm_data.config import NO_MASKING, MaskingSettings, SettingsError, make_section
from mlm_data.config.training import DynamicMaskingSettings
from mlm_data.dataset_directory import CONFIG
from mlm_data.manifest import MANIFEST, Manifest
from mlm_data.objectives import OBJECTIVES
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
        masking: how its masks were drawn or, where they are drawn anew, are to be.
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
        vocabulary = Vocabulary.load(f"{directory}/{VOCABULARY}", storage)
        _require_equal(f"{directory}/{VOCABULARY}", "sha256", vocabulary.sha256, manifest.vocab_sha256)
        return cls(directory, manifest, hashlib.sha256(content).hexdigest(), vocabulary, masking)

    @property
    def has_sentence_labels(self) -> bool:
        """Whether instances are pairs with a label, of next sentence or sentence order prediction."""
        return bool(self.manifest.label_meanings)

    @property
    def has_masks(self) -> bool:
        """Whether records say what to predict."""
        return self.manifest.masking != NO_MASKING

    def with_masks(self, masking: str, drawn: DynamicMaskingSettings) -> Self:
        """This data as it is to be read.

        Args:
            masking: "static": with the masks in the shards; "dynamic": with others.
            drawn: how to draw these.

        Raises:
            SettingsError: there are no masks in the shards, or nobody asked for others than those, or there are more
                mask slots than tokens.
        """
        if masking == "dynamic":
            masks = drawn.applied_to(self.masking).resolved(self.manifest.max_seq_length)
            self._check_slots(masks.max_predictions_per_seq)
            return dataclasses.replace(self, masking=masks)
        if not self.has_masks:
            raise SettingsError(
                f"--data_dir {self.directory} has no masks; draw them in training with --masking dynamic"
            )
        if drawn.given:
            flags = " and ".join(f"--{name}" for name in drawn.given)
            raise SettingsError(
                f"{flags} would tell how to draw masks, but those in the shards are used, which were drawn when the "
                f"dataset was made; leave out {flags}, or train with --masking dynamic"
            )
        return self

    def _check_slots(self, slots: int) -> None:
        length = self.manifest.max_seq_length
        room = length - OBJECTIVES[self.manifest.objective].special_tokens
        if slots > room:
            raise SettingsError(
                f"--max_predictions_per_seq is {slots} but instances of {length} tokens leave {room} to predict; "
                f"lower it"
            )

    def by_length(self, split: str) -> tuple[Self, ...]:
        """The parts of this data that have records of one length each, ascending, in which the split has any.

        Raises:
            SettingsError: it has none at all.
        """
        self.shards(split)
        if self.manifest.sequence_buckets is None:
            return (self,)
        parts = [self._of_length(length, slots) for length, slots in self.manifest.slots_by_length.items()]
        return tuple(part for part in parts if part.instances(split))

    def _of_length(self, length: int, slots: int) -> Self:
        shards = {
            split: tuple(shard for shard in some if shard.seq_length == length)
            for split, some in self.manifest.shards.items()
        }
        manifest = dataclasses.replace(
            self.manifest, shards=shards, max_seq_length=length, max_predictions_per_seq=slots, sequence_buckets=None
        )
        return dataclasses.replace(self, manifest=manifest, masking=self.masking.shortened(length))

    def shards(self, split: str) -> tuple[WrittenShard, ...]:
        """The shards of a split in the order of their names.

        Raises:
            SettingsError: it holds no instance.
        """
        shards = self.manifest.shards.get(split, ())
        if not self.instances(split):
            there = ", ".join(name for name, some in self.manifest.shards.items() if some) or "none"
            hint = "" if split == TRAIN else "; make the dataset with --validation_fraction 0.01, say"
            raise SettingsError(
                f"{self.directory} has no instances in its split {split}; expected one of {there}{hint}"
            )
        return shards

    def instances(self, split: str) -> int:
        """How many a split holds, over all passes."""
        return sum(shard.records for shard in self.manifest.shards.get(split, ()))

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


def _require_equal(where: str, what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise SettingsError(f"{where} has {what} {found}; expected {expected}, with which the model was trained")


def _read(storage: Storage, path: str) -> bytes:
    with storage.open_for_reading(path) as file:
        return file.read()
