"""Which features the records of a dataset have."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from mlm_data.examples import BERT_FEATURES, FEATURES, RecordError, Width, features_of
from mlm_data.manifest import Manifest

LABELS, WORD_STARTS = "next_sentence_labels", "input_word_starts"

Kind = tuple[tuple[str, str, int], ...]

_TYPES = {"f": "float32", "O": "bytes"}  # of the kinds of numpy; all others are integers
_OPTIONAL = (Width.PREDICTIONS, Width.ONE)


def kind_of(values: Mapping[str, NDArray[Any]]) -> Kind:
    """Name, type and number of values of each feature of a record, or of many that have the same."""
    return tuple((name, _type_of(values[name]), values[name].shape[-1]) for name in sorted(values))


def kind_of_manifest(manifest: Manifest) -> Kind:
    """The features that records of a dataset of ours have."""
    sizes = {
        Width.SEQUENCE: manifest.max_seq_length,
        Width.PREDICTIONS: manifest.max_predictions_per_seq,
        Width.ONE: 1,
    }
    features = features_of(manifest.objective, manifest.masking)
    return tuple(
        sorted((feature.name(manifest.feature_names), feature.dtype, sizes[feature.width]) for feature in features)
    )


@dataclass(frozen=True, slots=True)
class Schema:
    """The features of a dataset, as its first record has them.

    Attributes:
        kind: all of them, those of no interest too.
        feature_names: "v2" or "v1".
        width: L, values of the sequence features.
        slots: P, values of the masked_lm features; 0 where there are none.
        has_labels: whether there are next_sentence_labels.
        has_word_starts: whether there are input_word_starts, as records have that are masked in training only.
        slots_by_length: where records of one dataset have several lengths, P by each L, ascending; `width` and `slots`
            are those of the longest.
    """

    kind: Kind
    feature_names: str
    width: int
    slots: int
    has_labels: bool
    has_word_starts: bool
    slots_by_length: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, NDArray[Any]]) -> Schema:
        """The schema of a record.

        Raises:
            RecordError: it is no training instance: features are missing or have another type than they should, or as
                many values as does not go together.
        """
        feature_names = "v1" if "input_ids" in values and "input_word_ids" not in values else "v2"
        sizes = {width: _common_size(values, feature_names, width) for width in Width}
        if sizes[Width.ONE] > 1:
            raise RecordError(f"the first record has {sizes[Width.ONE]} values in {LABELS}; expected one or none")
        return cls(
            kind=kind_of(values),
            feature_names=feature_names,
            width=sizes[Width.SEQUENCE],
            slots=sizes[Width.PREDICTIONS],
            has_labels=sizes[Width.ONE] == 1,
            has_word_starts=(WORD_STARTS, "int64", sizes[Width.SEQUENCE]) in kind_of(values),
        )

    def with_lengths(self, slots_by_length: Mapping[int, int]) -> Schema:
        """The schema of a dataset whose records have these features, and several lengths."""
        return dataclasses.replace(self._of_size(*max(slots_by_length.items())), slots_by_length=slots_by_length)

    def of_length(self, width: int) -> Schema:
        """The schema of the records of one length."""
        return self._of_size(width, self.slots_by_length.get(width, self.slots))

    def _of_size(self, width: int, slots: int) -> Schema:
        sizes = {Width.SEQUENCE: width, Width.PREDICTIONS: slots}
        widths = {feature.name(self.feature_names): feature.width for feature in FEATURES}
        kind = tuple((name, dtype, sizes.get(widths.get(name, Width.ONE), size)) for name, dtype, size in self.kind)
        return dataclasses.replace(self, kind=kind, width=width, slots=slots)

    def columns(self, values: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The features of interest by v2 name."""
        sizes = {Width.SEQUENCE: self.width, Width.PREDICTIONS: self.slots, Width.ONE: int(self.has_labels)}
        columns = {
            feature.v2: values[feature.name(self.feature_names)] for feature in BERT_FEATURES if sizes[feature.width]
        }
        return columns | ({WORD_STARTS: values[WORD_STARTS]} if self.has_word_starts else {})


def _common_size(values: Mapping[str, NDArray[Any]], feature_names: str, width: Width) -> int:
    """How many values the features of one width have; 0 where all of them are missing, and may be."""
    features = [feature for feature in BERT_FEATURES if feature.width is width]
    found = {feature.name(feature_names): values.get(feature.name(feature_names)) for feature in features}
    sizes = {name: len(array) if array is not None else 0 for name, array in found.items()}
    common = set(sizes.values())
    if len(common) > 1 or (common == {0} and width not in _OPTIONAL):
        told = ", ".join(f"{size} values in {name}" for name, size in sizes.items())
        raise RecordError(f"the first record has {told}; expected equally many; its features are {', '.join(values)}")
    for feature in features:
        array = found[feature.name(feature_names)]
        # Weights may be integers, as those of others are.
        if array is not None and len(array) and _type_of(array) not in ("int64", feature.dtype):
            told = f"{_type_of(array)} values in {feature.name(feature_names)}"
            raise RecordError(f"the first record has {told}; expected {feature.dtype}")
    return common.pop()


def _type_of(array: NDArray[Any]) -> str:
    return _TYPES.get(array.dtype.kind, "int64")
