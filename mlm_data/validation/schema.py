"""Which features the records of a dataset have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from mlm_data.examples import FEATURES, RecordError, Width

LABELS = "next_sentence_labels"

Kind = tuple[tuple[str, str, int], ...]


def kind_of(values: Mapping[str, NDArray[Any]]) -> Kind:
    """Name, type and number of values of each feature of a record, or of many that have the same."""
    types = {"f": "float32", "O": "bytes"}
    return tuple(
        sorted((name, types.get(array.dtype.kind, "int64"), array.shape[-1]) for name, array in values.items())
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
    """

    kind: Kind
    feature_names: str
    width: int
    slots: int
    has_labels: bool

    @classmethod
    def of(cls, values: Mapping[str, NDArray[Any]]) -> Schema:
        """The schema of a record.

        Raises:
            RecordError: it is no training instance.
        """
        feature_names = "v1" if "input_ids" in values and "input_word_ids" not in values else "v2"
        names = {feature.v2: feature.name(feature_names) for feature in FEATURES}
        present = {feature.v2 for feature in FEATURES if names[feature.v2] in values}
        slots = _common_size(values, names, Width.PREDICTIONS, present)
        width = _common_size(values, names, Width.SEQUENCE, present)
        if not width:
            expected = ", ".join(names[feature.v2] for feature in FEATURES if feature.width is Width.SEQUENCE)
            raise RecordError(f"the first record has {', '.join(sorted(values)) or 'no feature'}; expected {expected}")
        return cls(kind_of(values), feature_names, width, slots, LABELS in present)

    def columns(self, values: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The features of interest by v2 name."""
        names = {feature.v2: feature.name(self.feature_names) for feature in FEATURES}
        return {name: values[own] for name, own in names.items() if own in values}


def _common_size(values: Mapping[str, NDArray[Any]], names: Mapping[str, str], width: Width, present: set[str]) -> int:
    """How many values the features of this width have; 0 where one is missing or they differ."""
    features = [feature.v2 for feature in FEATURES if feature.width is width]
    sizes = {len(values[names[name]]) if name in present else 0 for name in features}
    return sizes.pop() if len(sizes) == 1 else 0
