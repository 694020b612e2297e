"""TFRecord files read back, record by record or thousands at a time."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, BinaryIO, cast

import google_crc32c
import numpy as np

from mlm_data.shards.framing import CHECKSUM, HEADER, FramedBatch, ShardError, mask, masked_checksum, unframe
from mlm_data.shards.writing import WrittenShard
from mlm_data.storage import Storage

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BYTES_PER_BATCH = 2_000_000  # of records read at once; what is made of them stays near the processor's cache


def read_records(storage: Storage, path: str) -> Iterator[bytes]:
    """The records of a TFRecord file, gzip'd or not, one after another.

    Raises:
        ShardError: a checksum does not fit, or the file ends within a record.
        OSError: the file cannot be read.
    """
    with storage.open_for_reading(path) as raw:
        file = _decompressed(raw)
        number = 0
        try:
            while header := file.read(HEADER.size):
                yield _read_record(file, header, f"{path}, record {number}")
                number += 1
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ShardError(f"{path}, record {number}: the gzip stream is damaged ({error})") from error


def _decompressed(raw: BinaryIO) -> IO[bytes]:
    """The file without its compression, if it has any; TensorFlow names no suffix, so its first bytes tell."""
    buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, raw))
    # Three bytes, since a record of 35,615 bytes begins with the first two.
    is_gzip = buffered.peek(3)[:3] == b"\x1f\x8b\x08"
    return cast(IO[bytes], gzip.GzipFile(fileobj=buffered) if is_gzip else buffered)


def _read_record(file: IO[bytes], header: bytes, place: str) -> bytes:
    if len(header) < HEADER.size:
        raise ShardError(f"{place}: the file ends within a record's header")
    length, length_checksum = HEADER.unpack(header)
    if length_checksum != masked_checksum(header[:8]):
        raise ShardError(f"{place}: the checksum of its length is wrong; this is no TFRecord file, or a damaged one")
    data, footer = file.read(length), file.read(CHECKSUM.size)
    if len(data) < length or len(footer) < CHECKSUM.size:
        raise ShardError(f"{place}: the file ends within a record of {length} bytes")
    if CHECKSUM.unpack(footer)[0] != masked_checksum(data):
        raise ShardError(f"{place}: the checksum of its {length} bytes is wrong; the file is damaged")
    return data


class ShardReader:
    """Reads a TFRecord file, gzip'd or not, thousands of records at a time; the counterpart of `write_shard`.

    Args:
        storage: where it lies.
        path: of the file.
    """

    def __init__(self, storage: Storage, path: str) -> None:
        self._storage, self._path = storage, path
        self._digest, self._size, self._records = hashlib.sha256(), 0, 0

    @property
    def found(self) -> WrittenShard:
        """The file as it was found to be, once all batches were read."""
        name = self._path.rpartition("/")[2]
        return WrittenShard(name, self._records, self._size, self._digest.hexdigest())

    def batches(self) -> Iterator[FramedBatch]:
        """All records in order.

        Raises:
            ShardError: as `read_records`, once all records before the damage were given.
            OSError: the file cannot be read.
        """
        with self._storage.open_for_reading(self._path) as raw, _Tap(raw, self._take_note) as tap:
            file, rest = _decompressed(cast(BinaryIO, tap)), b""
            try:
                while some := file.read(_BYTES_PER_BATCH):
                    data = rest + some
                    batch, damage, used = unframe(data)
                    yield from self._checked(batch, damage)
                    rest = data[used:]
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise self._error(f"the gzip stream is damaged ({error})") from error
        if rest:
            raise self._error("the file ends within a record")

    def _take_note(self, content: memoryview) -> None:
        self._digest.update(content)
        self._size += len(content)

    def _checked(self, batch: FramedBatch, damage: str) -> Iterator[FramedBatch]:
        """The sound records of a batch; an error if there are others."""
        data, bounds = batch.data, zip(batch.starts.tolist(), batch.ends.tolist(), strict=True)
        checksums = np.array([google_crc32c.value(data[start:end]) for start, end in bounds], np.int64)
        wrong = np.flatnonzero(mask(checksums) != batch.checksums)
        if len(wrong):
            first = int(wrong[0])
            damage = (
                f"the checksum of its {batch.ends[first] - batch.starts[first]} bytes is wrong; the file is damaged"
            )
            batch = FramedBatch(data, batch.starts[:first], batch.ends[:first], batch.checksums[:first])
        self._records += len(batch.starts)
        if len(batch.starts):
            yield batch
        if damage:
            raise self._error(damage)

    def _error(self, what: str) -> ShardError:
        return ShardError(f"{self._path}, record {self._records}: {what}")


class _Tap(io.RawIOBase):
    """A file that tells of every byte read from it."""

    def __init__(self, file: BinaryIO, tell: Callable[[memoryview], None]) -> None:
        self._file, self._tell = file, tell

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer)
        content = self._file.read(len(room))
        room[: len(content)] = content
        self._tell(memoryview(content))
        return len(content)
