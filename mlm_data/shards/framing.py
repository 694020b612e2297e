"""How a TFRecord file holds a record: its length, a checksum of that, its bytes, a checksum of these."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from mlm_data.records import EncodedBatch

HEADER = struct.Struct("<QI")
CHECKSUM = struct.Struct("<I")

Checksum = TypeVar("Checksum", int, NDArray[np.int64])


class ShardError(ValueError):
    """A file that is no sound TFRecord shard; the message says where and how."""


def frame(batch: EncodedBatch) -> bytearray:
    """Records as a TFRecord file holds them: length, its checksum, data, its checksum."""
    checksums = [google_crc32c.value(record) for record in batch.records()]
    framed = bytearray(batch.data)
    _put(framed, batch.offsets[:-1], _headers(batch.ends - batch.starts))
    _put(framed, batch.ends, mask(np.array(checksums, np.int64)).astype("<u4")[:, None].view(np.uint8))
    return framed


def _headers(lengths: NDArray[np.int64]) -> NDArray[np.uint8]:
    """What stands before records of these lengths, [records, bytes]."""
    different = np.flatnonzero(np.bincount(lengths))
    headers = b"".join([HEADER.pack(length, length_checksum(length)) for length in different.tolist()])
    by_length = np.empty((lengths.max(initial=0) + 1, HEADER.size), np.uint8)
    by_length[different] = np.frombuffer(headers, np.uint8).reshape(-1, HEADER.size)
    return by_length[lengths]


def _put(target: bytearray, places: NDArray[np.int64], rows: NDArray[np.uint8]) -> None:
    """Writes a row of bytes at each place."""
    np.frombuffer(target, np.uint8)[places[:, None] + np.arange(rows.shape[1])] = rows


@lru_cache(maxsize=65_536)
def length_checksum(length: int) -> int:
    """The checksum of a record's length, of which one dataset has a few hundred."""
    return masked_checksum(length.to_bytes(8, "little"))


def masked_checksum(data: bytes) -> int:
    """CRC-32C as a TFRecord file holds it."""
    return mask(int(google_crc32c.value(data)))


def mask(checksum: Checksum) -> Checksum:
    """Rotates and offsets a checksum, or an array of them, as TensorFlow's core/lib/hash/crc32c.h does."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


@dataclass(frozen=True, slots=True, eq=False)
class FramedBatch:
    """Records as they lie in a file, between their lengths and checksums.

    Attributes:
        data: some of the file.
        starts: where each record begins in `data`, int64, shape [records].
        ends: where each ends.
        checksums: of each, masked as the file holds it, int64.
    """

    data: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    checksums: NDArray[np.int64]


def unframe(data: bytes) -> tuple[FramedBatch, str, int]:
    """The whole records at the beginning of some bytes, what is wrong with the next one, and how many bytes they fill.

    Their checksums are those of the file; whether they fit is not looked at.
    """
    starts, damage, place = [], "", 0
    while place + HEADER.size <= len(data):
        length, checksum = HEADER.unpack_from(data, place)
        if checksum != length_checksum(length):
            damage = "the checksum of its length is wrong; this is no TFRecord file, or a damaged one"
            break
        end = place + HEADER.size + length + CHECKSUM.size
        if end > len(data):
            break
        starts.append(place + HEADER.size)
        place = end
    first = np.array(starts, np.int64)
    ends = np.append(first[1:] - HEADER.size, place)[: len(first)] - CHECKSUM.size
    footers = np.frombuffer(data, np.uint8).take(ends[:, None] + np.arange(CHECKSUM.size))
    return FramedBatch(data, first, ends, footers.view("<u4")[:, 0].astype(np.int64)), damage, place
