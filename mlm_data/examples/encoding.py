"""Masked batches to serialized `tf.train.Example`s, whole batches at a time.

A record is a row of pieces out of one table, which holds whatever can stand in a record: the varint of every id, runs
of equal values, and the header of each feature for every size it may have. So a batch is a matrix of piece numbers, and
all its bytes come from a single look-up, done by Arrow.

The wire format is that of https://protobuf.dev/programming-guides/encoding and tensorflow/core/example/*.proto.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlm_data.examples.schema import BERT_FEATURES, Feature, Width
from mlm_data.records import MARGIN_AFTER, MARGIN_BEFORE, EncodedBatch, InstanceBatch

_EXAMPLE_FEATURES = 0x0A  # Example.features: field 1, length-delimited
_ENTRY = 0x0A  # an entry of Features.feature
_ENTRY_KEY = 0x0A
_ENTRY_VALUE = 0x12
_LIST_TAG = {"float32": 0x12, "int64": 0x1A}  # Feature.float_list, Feature.int64_list
_LIST_VALUE = 0x0A  # packed

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
        "input_word_ids": batch.input_word_ids,
        "input_mask": in_text.astype(np.uint8),
        "input_type_ids": (in_text & (column >= batch.a_lengths[:, None])).astype(np.uint8),
        "masked_lm_positions": batch.masked_lm_positions,
        "masked_lm_ids": batch.masked_lm_ids,
        "masked_lm_weights": (slot < batch.masked_lm_counts[:, None]).astype(np.float32),
        "next_sentence_labels": batch.next_sentence_labels[:, None],
        **_word_starts(batch),
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
    largest = max(width, *(int(ids.max(initial=0)) for ids in (batch.input_word_ids, batch.masked_lm_ids)))
    table = _make_table(tuple(features), feature_names, width, slots, largest.bit_length())
    payloads = _payloads(batch, table)
    columns: list[NDArray[np.integer]] = []
    sizes = np.zeros(len(batch), np.int32)
    for name, smallest in table.headers.items():
        more_bytes = _bytes_beyond_one(payloads[name], table.longest[name])
        header = smallest + more_bytes
        sizes += more_bytes + table.sizes.take(header)
        columns += [header[:, None], payloads[name]]
    before, after = (np.full((len(batch), 1), piece) for piece in table.margins)
    columns = [before, (table.record_headers + sizes)[:, None], *columns, after]
    return _look_up(table, np.concatenate(columns, axis=1, dtype=np.int32, casting="same_kind"))


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The pieces records of one kind are made of. The varint of v is piece v.

    Attributes:
        pieces: all of them.
        sizes: bytes of each, uint16 [pieces].
        runs: by kind of value, which piece is the run of none; that of n values comes n places later.
        headers: by v2 name in the order of the record, which piece is the header of a feature with the fewest bytes of
            values it may have; that of n more bytes comes n places later.
        longest: by the same names, bytes of the longest varint among their pieces; 1 if all sizes are the same.
        record_headers: which piece would be the header of a record with as few bytes of values and no headers of
            features; that of n more bytes comes n places later.
        margins: the pieces at either end of a record.
    """

    pieces: pa.BinaryArray
    sizes: NDArray[np.uint16]
    runs: Mapping[str, int]
    headers: Mapping[str, int]
    longest: Mapping[str, int]
    record_headers: int
    margins: tuple[int, int]

    def run(self, kind: str, counts: NDArray[np.int32], most: int) -> Pieces:
        """Runs of so many equal values, int32 [rows, pieces]; `most` is the longest possible."""
        starts = np.arange(0, most, _LONGEST_RUN, dtype=np.int32)
        pieces: Pieces = self.runs[kind] + np.clip(counts[:, None] - starts, 0, _LONGEST_RUN)
        return pieces


def _payloads(batch: InstanceBatch, table: _Table) -> dict[str, NDArray[np.integer]]:
    """The columns of `feature_values`, by the same names, as pieces [instances, pieces]."""
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
        "input_word_ids": batch.input_word_ids,
        "input_mask": np.concatenate((table.run("one", lengths, width), padding), axis=1),
        "input_type_ids": np.concatenate(type_ids, axis=1),
        "masked_lm_positions": batch.masked_lm_positions,
        "masked_lm_ids": batch.masked_lm_ids,
        "masked_lm_weights": np.concatenate(weights, axis=1),
        "next_sentence_labels": batch.next_sentence_labels[:, None],
        **_word_starts(batch),
    }


def _word_starts(batch: InstanceBatch) -> dict[str, NDArray[np.integer]]:
    """The column of 0 and 1, which are their own pieces; none where the batch is masked."""
    starts = batch.input_word_starts
    return {} if starts is None else {"input_word_starts": starts.view(np.uint8)}


def _bytes_beyond_one(values: NDArray[np.integer], longest: int) -> NDArray[np.int32]:
    """By how many bytes the varints of each row exceed one each, int32 [rows]; none is longer than `longest`."""
    more_bytes = np.zeros(len(values), np.int32)
    for size in range(1, longest):
        needs_more = values >= 1 << 7 * size
        more_bytes += np.add.reduce(needs_more.view(np.uint8), axis=1, dtype=np.uint16)
    return more_bytes


def _look_up(table: _Table, numbers: Pieces) -> EncodedBatch:
    """The bytes of each row of pieces, end to end."""
    found = pc.take(table.pieces, pa.array(numbers.reshape(-1)), boundscheck=False)  # all are in the table
    _, offsets, data = found.buffers()
    ends = np.frombuffer(offsets, np.int32)[: numbers.size + 1 : numbers.shape[1]]
    return EncodedBatch(data.to_pybytes(), ends.astype(np.int64))


@lru_cache(maxsize=8)  # one dataset needs one or two
def _make_table(features: tuple[Feature, ...], feature_names: str, width: int, slots: int, id_bits: int) -> _Table:
    """The pieces of records with so many tokens and mask slots and ids of at most so many bits."""
    others = [bytes(MARGIN_BEFORE), bytes(MARGIN_AFTER)]
    varints = 1 << id_bits
    margins = (varints, varints + 1)
    runs, headers, longest = {}, {}, {}
    for kind, value in _RUNS.items():
        runs[kind] = varints + len(others)
        others += [value * count for count in range(_LONGEST_RUN + 1)]
    values = smallest = largest = 0
    for feature in sorted(features, key=lambda feature: feature.name(feature_names)):
        longest[feature.v2] = _longest_varint(feature, width, id_bits)
        sizes = _payload_sizes(feature, width, slots, longest[feature.v2])
        headers[feature.v2] = varints + len(others)
        feature_headers = [_feature_header(feature, feature_names, size) for size in sizes]
        others += feature_headers
        values += sizes[0]
        smallest += sizes[0] + len(feature_headers[0])
        largest += sizes[-1] + len(feature_headers[-1])
    record_headers = varints + len(others) - (smallest - values)
    others += [_nested(_EXAMPLE_FEATURES, size) for size in range(smallest, largest + 1)]
    pieces = pa.concat_arrays([_varints(varints), pa.array(others, pa.binary())])
    sizes_of_pieces = pc.binary_length(pieces).to_numpy().astype(np.uint16)
    return _Table(pieces, sizes_of_pieces, runs, headers, longest, record_headers, margins)


def _longest_varint(feature: Feature, width: int, id_bits: int) -> int:
    """Bytes that one value of a feature may take; 1 for runs, whose pieces are bytes as they stand."""
    bits = {"input_word_ids": id_bits, "masked_lm_ids": id_bits, "masked_lm_positions": (width - 1).bit_length()}
    return -(-bits.get(feature.v2, 1) // 7)


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


def _varints(number: int) -> pa.BinaryArray:
    """The base-128 varints of all integers below a number."""
    values = np.arange(number)
    places = 7 * np.arange(-(-max(1, (number - 1).bit_length()) // 7))
    used = (values[:, None] >> places > 0) | (places == 0)
    more = np.pad(used[:, 1:], ((0, 0), (0, 1)))
    cells = (values[:, None] >> places & 0x7F | more * 0x80).astype(np.uint8)
    offsets = np.concatenate([[0], np.cumsum(np.count_nonzero(used, axis=1))]).astype(np.int32)
    return pa.Array.from_buffers(pa.binary(), number, [None, pa.py_buffer(offsets), pa.py_buffer(cells[used])])
