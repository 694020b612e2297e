"""Serialized records, ours or anybody's, as instances whose arrays have the names and shapes one expects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlm_data.config import NO_MASKING
from mlm_data.examples import BERT_FEATURES, FEATURES, Feature, RecordError, Width, decode_example, features_of
from mlm_data.shards import read_records
from mlm_data.storage import Storage

_LABELS = "next_sentence_labels"
_WORD_STARTS = "input_word_starts"
_REQUIRED = features_of("mlm", "token")  # what masked records of every objective have
_REQUIRED_UNMASKED = features_of("mlm", NO_MASKING)
_NO_VALUES = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One training record, as it lies in its file.

    Attributes:
        input_word_ids: int64, shape [L].
        input_mask: int64, shape [L].
        input_type_ids: int64, shape [L].
        masked_lm_positions: int64, shape [P]; those of used slots lie in [0, L). In a record that is not masked P is 0.
        masked_lm_ids: int64, shape [P].
        masked_lm_weights: float32, shape [P].
        label: next_sentence_labels, None where the record has none.
        feature_names: how the record calls its features, "v2" or "v1".
        input_word_starts: int64, shape [L]; None where the record is masked.
    """

    input_word_ids: NDArray[np.int64]
    input_mask: NDArray[np.int64]
    input_type_ids: NDArray[np.int64]
    masked_lm_positions: NDArray[np.int64]
    masked_lm_ids: NDArray[np.int64]
    masked_lm_weights: NDArray[np.float32]
    label: int | None
    feature_names: str
    input_word_starts: NDArray[np.int64] | None = None

    @property
    def length(self) -> int:
        """Tokens up to the last one that `input_mask` lets through, specials counted."""
        return _end(self.input_mask != 0)

    @property
    def a_length(self) -> int:
        """Tokens before the first one of another type than 0: [CLS] A [SEP], or everything where there is no B."""
        others = np.flatnonzero(self.input_type_ids[: self.length])
        return int(others[0]) if len(others) else self.length

    @property
    def used_slots(self) -> NDArray[np.intp]:
        """Indices of the mask slots that have a weight, ascending, shape [predictions]."""
        return np.flatnonzero(self.masked_lm_weights > 0)

    def feature_values(self) -> dict[str, list[int] | list[float]]:
        """All values by v2 feature name, padding included; next_sentence_labels only where there is a label."""
        present = _REQUIRED if self.input_word_starts is None else _REQUIRED_UNMASKED
        arrays = {feature.v2: getattr(self, feature.v2).tolist() for feature in present}
        return arrays if self.label is None else {**arrays, _LABELS: [self.label]}


def read_instance(record: bytes) -> Instance:
    """Interprets one serialized `tf.train.Example`.

    Features may have v2 names (TF Model Garden) or v1 names (google-research/bert) and any width; weights may be
    integers, next_sentence_labels may be missing, other features are ignored. The masked_lm features may be missing
    where input_word_starts are there in their place. Whether the values make sense is for the validator to say.

    Raises:
        RecordError: features are missing, have the wrong type, widths that do not fit together, or predict a position
            that does not exist.
    """
    values = decode_example(record)
    feature_names = "v1" if {"input_ids", "segment_ids"} & set(values) and "input_word_ids" not in values else "v2"
    is_masked = "masked_lm_ids" in values or _WORD_STARTS not in values
    _require_features(values, _REQUIRED if is_masked else _REQUIRED_UNMASKED, feature_names)
    known = BERT_FEATURES if is_masked else FEATURES
    arrays = {feature.v2: _as_dtype(feature, feature.name(feature_names), values) for feature in known}
    labels = arrays.pop(_LABELS)
    if len(labels) > 1:
        raise RecordError(f"{_LABELS} has {len(labels)} values; expected one or none")
    for width in (Width.SEQUENCE, Width.PREDICTIONS):
        _require_one_width(
            {feature.name(feature_names): arrays[feature.v2] for feature in known if feature.width is width}
        )
    instance = Instance(**arrays, label=int(labels[0]) if len(labels) else None, feature_names=feature_names)
    _require_positions(instance)
    return instance


def read_instances(storage: Storage, paths: Iterable[str]) -> Iterator[tuple[str, int, Instance]]:
    """All instances of some shards, each with its path and its number in it, counted from 0.

    Raises:
        RecordError: as `read_instance`; the message names file and record.
        ShardError: a file is no sound TFRecord file.
        OSError: a file cannot be read.
    """
    for path in paths:
        for number, record in enumerate(read_records(storage, path)):
            try:
                yield path, number, read_instance(record)
            except RecordError as error:
                raise RecordError(f"{path}, record {number}: {error}") from error


def _end(flags: NDArray[np.bool_]) -> int:
    places = np.flatnonzero(flags)
    return int(places[-1]) + 1 if len(places) else 0


def _require_features(values: Mapping[str, Any], required: Iterable[Feature], feature_names: str) -> None:
    expected = [feature.name(feature_names) for feature in required]
    missing = [name for name in expected if name not in values]
    if missing:
        renamed = ", ".join(f"{feature.v1} for {feature.v2}" for feature in FEATURES if feature.v1 != feature.v2)
        raise RecordError(
            f"has no {', '.join(missing)}; found {', '.join(sorted(values)) or 'no feature at all'}; expected "
            f"{', '.join(expected)}" + ("" if feature_names == "v1" else f" (or {renamed})")
        )


def _as_dtype(feature: Feature, name: str, values: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    array = values.get(name, _NO_VALUES)
    accepted = {"float32": ("float32", "int64")}.get(feature.dtype, (feature.dtype,))
    if array.dtype.name not in accepted and len(array):
        got = "bytes" if array.dtype == np.object_ else array.dtype.name
        raise RecordError(f"{name} has {got} values; expected {feature.dtype}")
    return array.astype(feature.dtype)


def _require_one_width(arrays: Mapping[str, NDArray[Any]]) -> None:
    widths = {name: len(array) for name, array in arrays.items()}
    if len(set(widths.values())) > 1:
        raise RecordError(
            f"got {', '.join(f'{width} values in {name}' for name, width in widths.items())}; expected equally many"
        )


def _require_positions(instance: Instance) -> None:
    used = instance.masked_lm_positions[instance.used_slots]
    outside = used[(used < 0) | (used >= len(instance.input_word_ids))]
    if len(outside):
        raise RecordError(
            f"masked_lm_positions has {outside[0]}; expected 0 to {len(instance.input_word_ids) - 1}, a place in the "
            f"sequence"
        )
