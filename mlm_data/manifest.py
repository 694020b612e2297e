"""`manifest.json`: what a dataset consists of. Written last: where there is none, there is no dataset.

It holds nothing but what input, seed and settings decide, so that two runs are compared by comparing manifests.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from mlm_data.config import Settings
from mlm_data.objectives import find_objective
from mlm_data.shards import WrittenShard
from mlm_data.vocabulary import Vocabulary

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a reader has to know to use the shards, and to tell whether they are all there.

    Attributes:
        shards: by split, in the order of their names.
        vocab_sha256: of `vocab.txt`.
        vocab_size: its entries.
        objective: see `PairingSettings`.
        parity: see `PairingSettings`.
        label_meanings: what each next_sentence_label says; empty where there are none.
        masking: see `MaskingSettings`.
        feature_names: "v2" or "v1".
        compression: "none" or "gzip".
        max_seq_length: values of the sequence features; the most, where shards have several lengths.
        max_predictions_per_seq: values of the masked_lm features, the most likewise; 0 where nothing is masked.
        do_lower_case: whether text was lower-cased before tokenization.
        random_seed: of the run.
        dupe_factor: passes over the corpus in the training split.
        sequence_buckets: where shards have several lengths, the values of the masked_lm features by each length in
            digits; the file has none otherwise.
    """

    shards: Mapping[str, tuple[WrittenShard, ...]]
    vocab_sha256: str
    vocab_size: int
    objective: str
    parity: str
    label_meanings: Mapping[str, str]
    masking: str
    feature_names: str
    compression: str
    max_seq_length: int
    max_predictions_per_seq: int
    do_lower_case: bool
    random_seed: int
    dupe_factor: int
    sequence_buckets: Mapping[str, int] | None = None

    @property
    def slots_by_length(self) -> dict[int, int]:
        """Values of the masked_lm features by each length that records have, ascending."""
        if self.sequence_buckets is None:
            return {self.max_seq_length: self.max_predictions_per_seq}
        return dict(sorted((int(length), slots) for length, slots in self.sequence_buckets.items()))

    @classmethod
    def of(cls, shards: Mapping[str, tuple[WrittenShard, ...]], settings: Settings, vocabulary: Vocabulary) -> Self:
        """The manifest of a finished run."""
        slots = {str(length): masking.max_predictions_per_seq for length, masking in settings.masking_by_length.items()}
        return cls(
            shards=shards,
            vocab_sha256=vocabulary.sha256,
            vocab_size=len(vocabulary),
            objective=settings.pairing.objective,
            parity=settings.pairing.parity,
            label_meanings=find_objective(settings.pairing.objective, settings.pairing.parity).label_meanings,
            masking=settings.masking.masking,
            feature_names=settings.shards.feature_names,
            compression=settings.shards.compression,
            max_seq_length=settings.pairing.max_seq_length,
            max_predictions_per_seq=settings.masking.max_predictions_per_seq,
            do_lower_case=settings.wordpiece.do_lower_case,
            random_seed=settings.shards.random_seed,
            dupe_factor=settings.shards.dupe_factor,
            sequence_buckets=slots if settings.pairing.sequence_buckets else None,
        )

    def to_json(self) -> str:
        """The file's content."""
        values = dataclasses.asdict(self, dict_factory=_present)
        return json.dumps({"format": FORMAT, **values}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, content: str | bytes) -> Self:
        """Reads the file's content.

        Raises:
            ValueError: it is no manifest, or of another format.
        """
        values: dict[str, Any] = json.loads(content)
        found = values.pop("format", None)
        if found != FORMAT:
            raise ValueError(f"manifest of format {found}; expected {FORMAT}")
        shards = {
            split: tuple(WrittenShard(**shard) for shard in shards) for split, shards in values.pop("shards").items()
        }
        return cls(shards=shards, **values)


def _present(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in items if value is not None}
