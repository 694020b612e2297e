"""Masked batches to serialized `tf.train.Example`s, whole batches at a time.

The wire format is that of https://protobuf.dev/programming-guides/encoding and tensorflow/core/example/*.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlm_data.examples.schema import FEATURES
from mlm_data.records import EncodedBatch, InstanceBatch

Bytes = NDArray[np.uint8]

_EXAMPLE_FEATURES = 0x0A  # Example.features: field 1, length-delimited
_ENTRY = 0x0A  # an entry of Features.feature
_ENTRY_KEY = 0x0A
_ENTRY_VALUE = 0x12
_LIST_TAG = {"float32": 0x12, "int64": 0x1A}  # Feature.float_list, Feature.int64_list
_LIST_VALUE = 0x0A  # packed


def feature_values(batch: InstanceBatch) -> dict[str, NDArray[Any]]:
    """The columns of a batch by v2 feature name: integers [instances, width], weights as float32."""
    column = np.arange(batch.input_word_ids.shape[1])
    in_text = column < batch.lengths[:, None]
    slot = np.arange(batch.masked_lm_positions.shape[1])
    return {
        "input_word_ids": batch.input_word_ids,
        "input_mask": in_text.astype(np.uint8),
        "input_type_ids": (in_text & (column >= batch.a_lengths[:, None])).astype(np.uint8),
        "masked_lm_positions": batch.masked_lm_positions,
        "masked_lm_ids": batch.masked_lm_ids,
        "masked_lm_weights": (slot < batch.masked_lm_counts[:, None]).astype(np.float32),
        "next_sentence_labels": batch.next_sentence_labels[:, None],
    }


def encode_batch(batch: InstanceBatch, feature_names: str = "v2") -> EncodedBatch:
    """Serializes every instance of a batch as a `tf.train.Example`, features in the order of their names.

    The bytes are those of protobuf's deterministic serialization. All rows are laid into one byte matrix, wide enough
    for the longest varints, and the bytes in use are picked from it at once.

    Args:
        batch: masked instances.
        feature_names: "v2" or "v1".
    """
    values = feature_values(batch)
    features = sorted(FEATURES, key=lambda feature: feature.name(feature_names))
    fields = [rows for feature in features for rows in _encode_feature(feature.name(feature_names), values[feature.v2])]
    return _join_rows(_nest(_EXAMPLE_FEATURES, fields), len(batch))


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Byte strings, one a row: cells uint8 [rows, width], of which those `used` count (None: all of them).

    `sizes` are the bytes in each row, int64 [rows]; one number [1] where all are alike.
    """

    cells: Bytes
    sizes: NDArray[np.int64]
    used: NDArray[np.bool_] | None = None


def _encode_feature(name: str, values: NDArray[Any]) -> list[_Rows]:
    """One entry of Features.feature, as the rows of its header and its values."""
    is_float = values.dtype == np.float32
    payload = _all_used(values.view(np.uint8)) if is_float else _varints(values)
    tag = _LIST_TAG["float32" if is_float else "int64"]
    value = _nest(tag, _nest(_LIST_VALUE, [payload]))
    key = _literal(bytes([_ENTRY_KEY, len(name)]) + name.encode())
    return _nest(_ENTRY, [key, *_nest(_ENTRY_VALUE, value)])


def _nest(tag: int, content: list[_Rows]) -> list[_Rows]:
    """Content as a length-delimited field."""
    return [_literal(bytes([tag])), _varints(_sizes(content)[:, None]), *content]


def _sizes(parts: list[_Rows]) -> NDArray[np.int64]:
    return sum((rows.sizes for rows in parts), start=np.zeros(1, np.int64))


def _literal(value: bytes) -> _Rows:
    """The same bytes in every row."""
    return _all_used(np.frombuffer(value, np.uint8)[None, :])


def _all_used(cells: Bytes) -> _Rows:
    return _Rows(cells, np.array([cells.shape[1]]))


def _varints(values: NDArray[np.integer]) -> _Rows:
    """Base-128 varints of non-negative integers [rows, columns], each row's end to end."""
    width = max(1, -(-int(values.max(initial=0)).bit_length() // 7))
    if width == 1:
        return _all_used(values.astype(np.uint8))
    cells = np.empty((*values.shape, width), np.uint8)
    used = np.empty(cells.shape, np.bool_)
    needed = np.ones(values.shape, np.bool_)
    for place in range(width):
        more = values >= (1 << 7 * (place + 1))
        cells[..., place] = (values >> (7 * place)).astype(np.uint8) & 0x7F | more.view(np.uint8) << 7
        used[..., place] = needed
        needed = more
    flat = (len(values), -1)
    return _Rows(cells.reshape(flat), np.count_nonzero(used, axis=(1, 2)), used.reshape(flat))


def _join_rows(parts: list[_Rows], number: int) -> EncodedBatch:
    """Lays the parts of each row side by side and the rows end to end."""
    width = sum(rows.cells.shape[1] for rows in parts)
    cells = np.empty((number, width), np.uint8)
    used = np.ones((number, width), np.bool_)
    column = 0
    for rows in parts:
        place = slice(column, column := column + rows.cells.shape[1])
        cells[:, place] = rows.cells
        if rows.used is not None:
            used[:, place] = rows.used
    offsets = np.zeros(number + 1, np.int64)
    np.cumsum(np.broadcast_to(_sizes(parts), number), out=offsets[1:])
    return EncodedBatch(cells[used].tobytes(), offsets)
