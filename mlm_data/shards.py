"""Room 8: shard names, which document goes where, and TFRecord files written and read whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import secrets
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import IO, TYPE_CHECKING, BinaryIO, TypeVar, cast

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from mlm_data import chance
from mlm_data.records import EncodedBatch
from mlm_data.storage import Storage

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TRAIN = "train"
VALIDATION = "validation"
SMALL_BUCKET_TOKENS, LARGE_BUCKET_TOKENS = 2_000_000, 16_000_000
SMALL_BUCKETS = 32
BUCKET_DOCUMENTS = 16
UNFINISHED = "_unfinished"  # directory, inside the dataset's, for files that have no final name yet

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
Checksum = TypeVar("Checksum", int, NDArray[np.int64])

# On encoded records, three times as fast as zlib's default level at nearly its ratio.
_GZIP_LEVEL = 2
_GZIP_WINDOW = 16 + zlib.MAX_WBITS  # zlib's way to ask for a gzip header, which then holds no time and no name
_BYTES_PER_BATCH = 2_000_000  # of records read at once; what is made of them stays near the processor's cache


class ShardError(ValueError):
    """A file that is no sound TFRecord shard; the message says where and how."""


@dataclass(frozen=True, slots=True)
class WrittenShard:
    """A shard as it lies on disk: its name, records, size in bytes (compressed, if it is) and sha256 in hexadecimal."""

    name: str
    records: int
    size: int
    sha256: str


def shard_name(split: str, index: int, total: int, compression: str = "none") -> str:
    """The file name of a shard.

    >>> shard_name("train", 7, 32)
    'train-00007-of-00032.tfrecord'
    """
    return f"{split}-{index:05d}-of-{total:05d}.tfrecord{'.gz' if compression == 'gzip' else ''}"


def choose_buckets(documents: int, tokens: int) -> int:
    """How many shards a pass should fill, decided by content alone.

    A power of two, so that it seldom changes. Shards are small while they are few, so that all cores have some to
    build, and grow to 16 million tokens (100 MB of records). No bucket should have fewer than 16 documents: next
    sentence prediction takes its random segments from other documents of the same bucket, and for any objective fewer
    documents would make shards of very different sizes.
    """
    by_size = max(min(tokens / SMALL_BUCKET_TOKENS, SMALL_BUCKETS), tokens / LARGE_BUCKET_TOKENS, 1)
    by_documents = max(documents / BUCKET_DOCUMENTS, 1)
    return 1 << min(math.ceil(math.log2(by_size)), math.floor(math.log2(by_documents)))


def assign_split(seed: int, key: bytes, validation_fraction: float) -> str:
    """The split a document belongs to, by its key alone."""
    return VALIDATION if chance.hash64(seed, "split", key) < validation_fraction * 2**64 else TRAIN


def assign_bucket(seed: int, key: bytes, buckets: int) -> int:
    """The bucket a document belongs to, by its key alone.

    Buckets are equal ranges of the hash, so that those of a finer division nest in those of a coarser one.
    """
    return chance.hash64(seed, "bucket", key) * buckets >> 64


@contextmanager
def atomic_file(storage: Storage, directory: str, name: str) -> Iterator[BinaryIO]:
    """A file that gets its name in the directory when the block ends well, and leaves nothing if it does not."""
    # The temporary name only has to be nobody else's; it never reaches the output.
    temporary = f"{directory}/{UNFINISHED}/{name}.{secrets.token_hex(8)}"
    file = storage.open_for_writing(temporary)
    try:
        with file:
            yield file
        storage.rename(temporary, f"{directory}/{name}")
    except BaseException:
        storage.delete(temporary)
        raise


def write_shard(
    storage: Storage, directory: str, name: str, batches: Iterable[EncodedBatch], compression: str = "none"
) -> WrittenShard:
    """Writes a TFRecord file, atomically: the same name and content whoever writes it, however often.

    Args:
        storage: where it is written.
        directory: of the dataset.
        name: see `shard_name`.
        batches: the records in order.
        compression: "none" or "gzip".
    """
    digest, size, records = hashlib.sha256(), 0, 0
    compressor = zlib_ng.compressobj(_GZIP_LEVEL, wbits=_GZIP_WINDOW) if compression == "gzip" else None
    with atomic_file(storage, directory, name) as file:
        for batch in batches:
            records += len(batch.offsets) - 1
            framed = _frame(batch)
            content = compressor.compress(framed) if compressor else framed
            digest.update(content)
            size += file.write(content)
        if compressor:
            rest = compressor.flush()
            digest.update(rest)
            size += file.write(rest)
    return WrittenShard(name, records, size, digest.hexdigest())


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
            while header := file.read(_HEADER.size):
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
    if len(header) < _HEADER.size:
        raise ShardError(f"{place}: the file ends within a record's header")
    length, length_checksum = _HEADER.unpack(header)
    if length_checksum != _masked_checksum(header[:8]):
        raise ShardError(f"{place}: the checksum of its length is wrong; this is no TFRecord file, or a damaged one")
    data, footer = file.read(length), file.read(_CHECKSUM.size)
    if len(data) < length or len(footer) < _CHECKSUM.size:
        raise ShardError(f"{place}: the file ends within a record of {length} bytes")
    if _CHECKSUM.unpack(footer)[0] != _masked_checksum(data):
        raise ShardError(f"{place}: the checksum of its {length} bytes is wrong; the file is damaged")
    return data


def _frame(batch: EncodedBatch) -> pa.Buffer:
    """Records as a TFRecord file holds them: length, its checksum, data, its checksum."""
    offsets = batch.offsets.tolist()
    headers = b"".join([_header(end - start) for start, end in pairwise(offsets)])
    checksums = [google_crc32c.value(batch.data[start:end]) for start, end in pairwise(offsets)]
    number = np.arange(len(offsets))
    columns = (
        _byte_strings(headers, number * _HEADER.size),
        _byte_strings(batch.data, batch.offsets),
        _byte_strings(_mask(np.array(checksums, np.int64)).astype("<u4").tobytes(), number * _CHECKSUM.size),
    )
    size = len(headers) + len(batch.data) + len(checksums) * _CHECKSUM.size
    return pc.binary_join_element_wise(*columns, b"").buffers()[2].slice(0, size)


def _byte_strings(data: bytes, offsets: NDArray[np.int64]) -> pa.BinaryArray:
    """Strings that lie end to end, as Arrow takes them."""
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)


@lru_cache(maxsize=65_536)  # records of one dataset have a few hundred lengths
def _header(length: int) -> bytes:
    return _HEADER.pack(length, _length_checksum(length))


@lru_cache(maxsize=65_536)
def _length_checksum(length: int) -> int:
    return _masked_checksum(length.to_bytes(8, "little"))


def _masked_checksum(data: bytes) -> int:
    """CRC-32C as a TFRecord file holds it."""
    return _mask(int(google_crc32c.value(data)))


def _mask(checksum: Checksum) -> Checksum:
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
                    batch, damage, used = _unframe(data)
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
        wrong = np.flatnonzero(_mask(checksums) != batch.checksums)
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


def _unframe(data: bytes) -> tuple[FramedBatch, str, int]:
    """The whole records at the beginning of some bytes, what is wrong with the next one, and how many bytes they fill.

    Their checksums are those of the file; whether they fit is not looked at.
    """
    starts, damage, place = [], "", 0
    while place + _HEADER.size <= len(data):
        length, checksum = _HEADER.unpack_from(data, place)
        if checksum != _length_checksum(length):
            damage = "the checksum of its length is wrong; this is no TFRecord file, or a damaged one"
            break
        end = place + _HEADER.size + length + _CHECKSUM.size
        if end > len(data):
            break
        starts.append(place + _HEADER.size)
        place = end
    first = np.array(starts, np.int64)
    ends = np.append(first[1:] - _HEADER.size, place)[: len(first)] - _CHECKSUM.size
    footers = np.frombuffer(data, np.uint8).take(ends[:, None] + np.arange(_CHECKSUM.size))
    return FramedBatch(data, first, ends, footers.view("<u4")[:, 0].astype(np.int64)), damage, place
