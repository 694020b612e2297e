"""Serialized `tf.train.Example`s to arrays, thousands at a time: the counterpart of `encoding`.

Records of one maker are alike: the same features in the same order, each with as many values. So all records are
walked side by side in the steps of the first, and each feature is taken from all of them at once. Records that fall out
of step are walked again by themselves, or at last go through `decode_example`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mlm_data.examples.decoding import RecordError, decode_example

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]

_KINDS_AT_MOST = 8  # of records to walk in one batch; what is still left is decoded one by one
_VARINT_BYTES_AT_MOST = 4  # longer ones are negative or absurd: no id, no length

_EXAMPLE_FEATURES, _ENTRY, _ENTRY_KEY, _ENTRY_VALUE, _PACKED = 0x0A, 0x0A, 0x0A, 0x12, 0x0A
_FLOAT_LIST, _INT64_LIST = 0x12, 0x1A


@dataclass(frozen=True, slots=True, eq=False)
class DecodedRecords:
    """Records that have the same features.

    Attributes:
        rows: their numbers in the batch, ascending, int64, shape [records].
        columns: by feature name, shape [records, values]: float32, or integers, uint8 or uint32 where that is enough
            for all of them, else int64; a bytes feature comes as objects.
    """

    rows: Places
    columns: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class DecodedBatch:
    """The records of a batch by what features they have, and by number those that are no `tf.train.Example`."""

    groups: tuple[DecodedRecords, ...]
    failures: Mapping[int, RecordError]


def decode_batch(data: bytes, starts: Places, ends: Places) -> DecodedBatch:
    """Decodes many records at once: what `decode_example` gives for each, side by side.

    Args:
        data: holds the records.
        starts: where each begins, int64, shape [records].
        ends: where each ends.
    """
    # Whoever looks a record's length ahead still stays inside.
    content = np.frombuffer(data + bytes(int((ends - starts).max(initial=0))), np.uint8)
    groups: list[DecodedRecords] = []
    odd: list[int] = []
    rest = np.arange(len(starts))
    while len(rest) and len(groups) + len(odd) < _KINDS_AT_MOST:
        found = _Walk(content, starts[rest], ends[rest]).take_columns()
        if found is None:
            odd.append(int(rest[0]))
            rest = rest[1:]
            continue
        groups.append(DecodedRecords(rest[found.rows], found.columns))
        rest = np.delete(rest, found.rows)
    singles, failures = _decode_one_by_one(data, starts, ends, [*odd, *rest.tolist()])
    return DecodedBatch((*groups, *singles), failures)


def _decode_one_by_one(
    data: bytes, starts: Places, ends: Places, rows: list[int]
) -> tuple[list[DecodedRecords], dict[int, RecordError]]:
    kinds: dict[tuple[tuple[str, str, int], ...], list[tuple[int, dict[str, NDArray[Any]]]]] = {}
    failures = {}
    for row in rows:
        try:
            values = decode_example(data[starts[row] : ends[row]])
        except RecordError as error:
            failures[row] = error
            continue
        kind = tuple(sorted((name, array.dtype.name, len(array)) for name, array in values.items()))
        kinds.setdefault(kind, []).append((row, values))
    groups = [
        DecodedRecords(
            np.array([row for row, _ in records]),
            {name: np.stack([values[name] for _, values in records]) for name, _, _ in kind},
        )
        for kind, records in kinds.items()
    ]
    return groups, failures


class _Walk:
    """A walk through all records at once, in the steps of the first one."""

    def __init__(self, content: Bytes, starts: Places, ends: Places) -> None:
        self._content, self._ends = content, ends
        self._place = starts
        self._in_step = np.ones(len(starts), np.bool_)

    def take_columns(self) -> DecodedRecords | None:
        """The records that are like the first one; None if that one is no usual record."""
        payloads = self._take_payloads()
        if not self._in_step[0]:
            return None
        rows = np.flatnonzero(self._in_step)
        columns: dict[str, NDArray[Any]] = {}
        for name, (tag, starts, ends) in payloads.items():
            take = _take_floats if tag == _FLOAT_LIST else _take_integers
            values, kept = take(self._content, starts[rows], (ends - starts)[rows])
            if not len(kept):
                return None
            if len(kept) < len(rows):
                rows = rows[kept]
                columns = {other: column[kept] for other, column in columns.items()}
            columns[name] = values
        return DecodedRecords(rows, columns)

    def _take_payloads(self) -> dict[str, tuple[int, Places, Places]]:
        """By feature name: the tag of its list, and where its packed values begin and end in each record."""
        payloads: dict[str, tuple[int, Places, Places]] = {}
        self._require(self._take_message(_EXAMPLE_FEATURES) == self._ends)
        while self._in_step[0] and self._place[0] < self._ends[0]:
            entry_end = self._take_message(_ENTRY)
            name = self._take_name(self._take_message(_ENTRY_KEY))
            self._require(self._take_message(_ENTRY_VALUE) == entry_end)
            tag = int(self._content[self._place[0]]) if self._in_step[0] else 0
            if tag not in (_FLOAT_LIST, _INT64_LIST):
                self._in_step[0] = False
                break
            self._require(self._take_message(tag) == entry_end)
            if self._place[0] < entry_end[0]:
                self._require(self._take_message(_PACKED) == entry_end)
            payloads[name] = (tag, self._place, entry_end)
            self._place = entry_end
        self._require(self._place == self._ends)
        return payloads

    def _require(self, condition: Flags) -> None:
        self._in_step &= condition

    def _byte(self) -> Bytes:
        """The next byte of each record."""
        found = self._content.take(self._place, mode="clip")
        self._place = self._place + 1
        return found

    def _take_message(self, tag: int) -> Places:
        """Steps over the tag and length of a length-delimited field; where the field ends in each record."""
        self._require(self._byte() == tag)
        byte = self._byte()
        length = (byte & 0x7F).astype(np.int64)
        more = byte >= 0x80
        for place in range(1, _VARINT_BYTES_AT_MOST):
            if not more.any():
                break
            byte = self._content.take(self._place, mode="clip")
            self._place = self._place + more
            length += np.where(more, (byte & 0x7F).astype(np.int64) << (7 * place), 0)
            more &= byte >= 0x80
        self._require(~more)
        ends: Places = self._place + length
        self._require(ends <= self._ends)
        return ends

    def _take_name(self, ends: Places) -> str:
        """Steps over a feature's name, that of the first record."""
        first = self._content[self._place[0] : ends[0]] if self._in_step[0] else self._content[:0]
        size = len(first)
        self._require(ends - self._place == size)
        places = np.where(self._in_step, self._place, 0)
        self._require((_windows(self._content, places, size) == first).all(axis=1))
        self._place = ends
        try:
            return first.tobytes().decode()
        except UnicodeDecodeError:
            self._in_step[0] = False
            return ""


def _windows(content: Bytes, starts: Places, size: int) -> Bytes:
    """As many bytes from each start on, uint8 [starts, size]."""
    found: Bytes = sliding_window_view(content, size)[starts] if size else np.zeros((len(starts), 0), np.uint8)
    return found


def _take_floats(content: Bytes, starts: Places, sizes: Places) -> tuple[NDArray[np.float32], Places]:
    """The values of payloads as long as the first one, [payloads, values], and which payloads these are."""
    size = int(sizes[0])
    kept = np.flatnonzero((sizes == size) & (sizes % 4 == 0))
    return _windows(content, starts[kept], size // 4 * 4).view("<f4"), kept


def _take_integers(content: Bytes, starts: Places, sizes: Places) -> tuple[NDArray[Any], Places]:
    """The varints of payloads of as many values as the first one, [payloads, values], and which payloads these are."""
    width = int(sizes.max())
    # From one byte before, the last of the payload's length: as after a value, no varint reaches over it.
    cells = _windows(content, starts - 1, width + 1)
    is_even = (sizes == sizes[0]).all()
    is_last = cells < 0x80
    is_last[:, 0] = False
    if not is_even:
        is_last &= np.arange(width + 1) <= sizes[:, None]
    elif is_last[:, 1:].all():
        return cells[:, 1:], np.arange(len(cells))
    counts = np.count_nonzero(is_last, axis=1)
    is_kept = (counts == counts[0]) & is_last[np.arange(len(cells)), sizes]
    values, is_short = _join_varints(cells, is_last & is_kept[:, None])
    rows = np.flatnonzero(is_kept)
    if not is_short.all():
        fits = is_short.reshape(len(rows), counts[0]).all(axis=1)
        return values.reshape(len(rows), counts[0])[fits], rows[fits]
    return values.reshape(len(rows), counts[0]), rows


def _join_varints(cells: Bytes, is_last: Flags) -> tuple[NDArray[np.uint32], Flags]:
    """The varints that end in the marked cells, uint32, and which of them are no longer than they may be."""
    ends = np.flatnonzero(is_last)
    ahead = _VARINT_BYTES_AT_MOST
    flat = np.concatenate([np.zeros(ahead, np.uint8), cells.reshape(-1)])
    values = flat[ahead:].take(ends).astype(np.uint32)
    more = np.ones(len(ends), np.bool_)
    for place in range(1, ahead + 1):
        before = flat[ahead - place :].take(ends)
        more &= before >= 0x80
        if not more.any():
            break
        np.copyto(values, values << np.uint32(7) | (before & 0x7F), where=more)
    return values, ~more
