"""Masked batches to serialized `tf.train.Example`s, whole batches at a time.

A record is a row of pieces. A table holds all that do not depend on the text: runs of equal values, and the header of
each feature for every size it may have. To these come, for each batch, the values of its integer features as varints, a
piece for each feature of each record. So a batch is a small matrix of piece numbers, and all its bytes come from a
single look-up, done by Arrow.

The wire format is that of https://protobuf.dev/programming-guides/encoding and tensorflow/core/example/*.proto.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlm_data.examples.schema import BERT_FEATURES, Feature, Width
from mlm_data.examples.varints import encode_varints, varint_size
from mlm_data.records import MARGIN_AFTER, MARGIN_BEFORE, EncodedBatch, InstanceBatch

_EXAMPLE_FEATURES = 0x0A  # Example.features: field 1, length-delimited
_ENTRY = 0x0A  # an entry of Features.feature
_ENTRY_KEY = 0x0A
_ENTRY_VALUE = 0x12
_LIST_TAG = {"float32": 0x12, "int64": 0x1A}  # Feature.float_list, Feature.int64_list
_LIST_VALUE = 0x0A  # packed

_MARGINS = 0, 1  # the first pieces of every table, at either end of a record
_LONGEST_RUN = 128  # values in one piece; longer runs take several
_RUNS = {"zero": b"\0", "one": b"\1", "one as float32": np.float32(1).tobytes()}

Pieces = NDArray[np.int32]


def feature_values(batch: InstanceBatch) -> dict[str, NDArray[Any]]:
    """The columns of a batch by v2 feature name: integers [instances, width], weights as float32.

    `input_word_starts` are there only if the batch has them.
    """
    column = np.arange(batch.input_word_ids.shape[1])
    in_text = column < batch.lengths[:, None]
    slot = np.arange(batch.masked_lm_positions.shape[1])
    return {
        **_integers(batch),
        "input_mask": in_text.astype(np.uint8),
        "input_type_ids": (in_text & (column >= batch.a_lengths[:, None])).astype(np.uint8),
        "masked_lm_weights": (slot < batch.masked_lm_counts[:, None]).astype(np.float32),
    }


def encode_batch(
    batch: InstanceBatch, feature_names: str = "v2", features: Iterable[Feature] = BERT_FEATURES
) -> EncodedBatch:
    """Serializes every instance of a batch as a `tf.train.Example`, features in the order of their names.

    The bytes are those of protobuf's deterministic serialization.

    Args:
        batch: masked instances, or with word starts in place of masks.
        feature_names: "v2" or "v1".
        features: those that records are to have, see `features_of`.
    """
    width, slots = batch.input_word_ids.shape[1], batch.masked_lm_positions.shape[1]
    features = tuple(features)
    wanted = {feature.v2 for feature in features}
    integers = {name: column for name, column in _integers(batch).items() if name in wanted}
    values = np.concatenate([column.reshape(-1) for column in integers.values()], dtype=np.int32, casting="same_kind")
    longest = varint_size(max(width, int(values.max(initial=0))))
    table = _make_table(features, feature_names, width, slots, longest)
    varints, more_bytes = _as_pieces(values, longest, [column.shape for column in integers.values()])
    of_integers = zip(integers, len(table.pieces) + np.arange(len(varints)).reshape(more_bytes.shape), strict=True)
    payloads = _runs(batch, table) | {name: numbers[:, None] for name, numbers in of_integers}
    beyond_smallest = dict(zip(integers, more_bytes, strict=True))
    columns: list[NDArray[np.integer]] = []
    sizes = np.add.reduce(more_bytes, axis=0)
    for name, smallest in table.headers.items():
        header = smallest + beyond_smallest.get(name, np.zeros(len(batch), np.int32))
        sizes += table.sizes.take(header)
        columns += [header[:, None], payloads[name]]
    before, after = (np.full((len(batch), 1), piece) for piece in _MARGINS)
    columns = [before, (table.record_headers + sizes)[:, None], *columns, after]
    numbers = np.concatenate(columns, axis=1, dtype=np.int32, casting="same_kind")
    return _look_up(pa.concat_arrays([table.pieces, varints]), numbers)


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The pieces that all records of one kind are made of.

    Attributes:
        pieces: all of them.
        sizes: bytes of each, int32 [pieces].
        runs: by kind of value, which piece is the run of none; that of n values comes n places later.
        headers: by v2 name in the order of the record, which piece is the header of a feature with the fewest bytes of
            values it may have; that of n more bytes comes n places later.
        record_headers: which piece would be the header of a record with as few bytes of values and no headers of
            features; that of n more bytes comes n places later.
    """

    pieces: pa.BinaryArray
    sizes: NDArray[np.int32]
    runs: Mapping[str, int]
    headers: Mapping[str, int]
    record_headers: int

    def run(self, kind: str, counts: NDArray[np.int32], most: int) -> Pieces:
        """Runs of so many equal values, int32 [rows, pieces]; `most` is the longest possible."""
        starts = np.arange(0, most, _LONGEST_RUN, dtype=np.int32)
        pieces: Pieces = self.runs[kind] + np.maximum(np.minimum(counts[:, None] - starts, _LONGEST_RUN), 0)
        return pieces


def _integers(batch: InstanceBatch) -> dict[str, NDArray[np.integer]]:
    """The columns of `feature_values` that are no runs, by the same names, [instances, values]."""
    starts = batch.input_word_starts
    return {
        "input_word_ids": batch.input_word_ids,
        "masked_lm_positions": batch.masked_lm_positions,
        "masked_lm_ids": batch.masked_lm_ids,
        "next_sentence_labels": batch.next_sentence_labels[:, None],
        **({} if starts is None else {"input_word_starts": starts.view(np.uint8)}),
    }


def _runs(batch: InstanceBatch, table: _Table) -> dict[str, Pieces]:
    """The other columns of `feature_values`, by the same names, as pieces [instances, pieces]."""
    width, slots = batch.input_word_ids.shape[1], batch.masked_lm_positions.shape[1]
    lengths, a_lengths, counts = batch.lengths, batch.a_lengths, batch.masked_lm_counts
    padding = table.run("zero", width - lengths, width)
    type_ids = (table.run("zero", a_lengths, width), table.run("one", lengths - a_lengths, width), padding)
    float_bytes = len(_RUNS["one as float32"])
    weights = (
        table.run("one as float32", counts, slots),
        table.run("zero", float_bytes * (slots - counts), float_bytes * slots),
    )
    return {
        "input_mask": np.concatenate((table.run("one", lengths, width), padding), axis=1),
        "input_type_ids": np.concatenate(type_ids, axis=1),
        "masked_lm_weights": np.concatenate(weights, axis=1),
    }


def _as_pieces(
    values: NDArray[np.int32], longest: int, shapes: Sequence[tuple[int, ...]]
) -> tuple[pa.BinaryArray, NDArray[np.int32]]:
    """The varints of each row of columns of these shapes, and by how many bytes they exceed one each, [columns, rows].

    Args:
        values: of the columns, end to end.
        longest: see `encode_varints`.
        shapes: [rows, values], with as many rows each.
    """
    data, starts = encode_varints(values, longest)
    in_rows = np.concatenate([np.full(rows, width) for rows, width in shapes])
    offsets = starts[np.append(0, np.cumsum(in_rows))].astype(np.int32)
    pieces = pa.Array.from_buffers(pa.binary(), len(in_rows), [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    return pieces, (np.diff(offsets) - in_rows).astype(np.int32).reshape(len(shapes), -1)


def _look_up(pieces: pa.BinaryArray, numbers: Pieces) -> EncodedBatch:
    """The bytes of each row of pieces, end to end."""
    found = pc.take(pieces, pa.array(numbers.reshape(-1)), boundscheck=False)  # there are all
    _, offsets, data = found.buffers()
    ends = np.frombuffer(offsets, np.int32)[: numbers.size + 1 : numbers.shape[1]]
    return EncodedBatch(data.to_pybytes(), ends.astype(np.int64))


@lru_cache(maxsize=8)  # one dataset needs one or two
def _make_table(features: tuple[Feature, ...], feature_names: str, width: int, slots: int, longest: int) -> _Table:
    """The pieces of records with so many tokens and mask slots and ids whose varints take so many bytes at most."""
    pieces = [bytes(MARGIN_BEFORE), bytes(MARGIN_AFTER)]
    runs, headers = {}, {}
    for kind, value in _RUNS.items():
        runs[kind] = len(pieces)
        pieces += [value * count for count in range(_LONGEST_RUN + 1)]
    values = smallest = largest = 0
    for feature in sorted(features, key=lambda feature: feature.name(feature_names)):
        sizes = _payload_sizes(feature, width, slots, _longest_varint(feature, width, longest))
        headers[feature.v2] = len(pieces)
        feature_headers = [_feature_header(feature, feature_names, size) for size in sizes]
        pieces += feature_headers
        values += sizes[0]
        smallest += sizes[0] + len(feature_headers[0])
        largest += sizes[-1] + len(feature_headers[-1])
    record_headers = len(pieces) - (smallest - values)
    pieces += [_nested(_EXAMPLE_FEATURES, size) for size in range(smallest, largest + 1)]
    sizes_of_pieces = np.array([len(piece) for piece in pieces], np.int32)
    return _Table(pa.array(pieces, pa.binary()), sizes_of_pieces, runs, headers, record_headers)


def _longest_varint(feature: Feature, width: int, longest_id: int) -> int:
    """Bytes that one value of a feature may take; 1 for runs, whose pieces are bytes as they stand."""
    of_ids = dict.fromkeys(("input_word_ids", "masked_lm_ids"), longest_id)
    return (of_ids | {"masked_lm_positions": varint_size(width - 1)}).get(feature.v2, 1)


def _payload_sizes(feature: Feature, width: int, slots: int, longest: int) -> range:
    """How many bytes the values of a feature may take."""
    values = {Width.SEQUENCE: width, Width.PREDICTIONS: slots, Width.ONE: 1}[feature.width]
    if feature.dtype == "float32":
        return range(4 * values, 4 * values + 1)
    return range(values, longest * values + 1)


def _feature_header(feature: Feature, feature_names: str, size: int) -> bytes:
    """What stands before the values of a feature, an entry of Features.feature, if they have so many bytes."""
    name = feature.name(feature_names).encode()
    header = _nested(_LIST_VALUE, size)
    for tag in (_LIST_TAG[feature.dtype], _ENTRY_VALUE):
        header = _nested(tag, len(header) + size) + header
    key = bytes([_ENTRY_KEY, len(name)]) + name
    return _nested(_ENTRY, len(key) + len(header) + size) + key + header


def _nested(tag: int, size: int) -> bytes:
    """The beginning of a length-delimited field."""
    varint = bytearray()
    while size > 0x7F:
        varint.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([tag, *varint, size])
