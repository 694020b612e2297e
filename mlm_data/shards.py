"""Room 8: shard names, which document goes where, and TFRecord files written and read whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import secrets
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import IO, BinaryIO, TypeVar, cast

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from mlm_data import chance
from mlm_data.records import EncodedBatch
from mlm_data.storage import Storage

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


class ShardError(ValueError):
    """A file that is no sound TFRecord shard; the message says where and how."""


@dataclass(frozen=True, slots=True)
class WrittenShard:
    """A shard as it lies on disk.

    Attributes:
        name: of the file.
        records: how many it holds.
        size: in bytes, compressed if it is.
        sha256: in hexadecimal.
        seq_length: what its records are padded to, where a dataset has shards of several lengths.
    """

    name: str
    records: int
    size: int
    sha256: str
    seq_length: int | None = None


def shard_name(split: str, index: int, total: int, compression: str = "none", seq_length: int | None = None) -> str:
    """The file name of a shard; with a length, `index` and `total` count the shards of that length.

    >>> shard_name("train", 7, 32)
    'train-00007-of-00032.tfrecord'
    >>> shard_name("train", 7, 32, seq_length=128)
    'train-seq128-00007-of-00032.tfrecord'
    """
    return f"{_stem(split, seq_length)}-{index:05d}-of-{total:05d}{_suffix(compression)}"


def shard_pattern(split: str, compression: str = "none", seq_length: int | None = None) -> str:
    """A glob for the shards of a split, of all lengths or one."""
    return f"{_stem(split, seq_length)}-*{_suffix(compression)}"


def _stem(split: str, seq_length: int | None) -> str:
    return split if seq_length is None else f"{split}-seq{seq_length}"


def _suffix(compression: str) -> str:
    return ".tfrecord.gz" if compression == "gzip" else ".tfrecord"


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
        buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, raw))
        # TensorFlow names no suffix; three bytes, since a record of 35,615 bytes begins with the first two.
        is_gzip = buffered.peek(3)[:3] == b"\x1f\x8b\x08"
        file = cast(IO[bytes], gzip.GzipFile(fileobj=buffered) if is_gzip else buffered)
        number = 0
        try:
            while header := file.read(_HEADER.size):
                yield _read_record(file, header, f"{path}, record {number}")
                number += 1
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ShardError(f"{path}, record {number}: the gzip stream is damaged ({error})") from error


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
    packed = length.to_bytes(8, "little")
    return packed + _CHECKSUM.pack(_masked_checksum(packed))


def _masked_checksum(data: bytes) -> int:
    """CRC-32C as a TFRecord file holds it."""
    return _mask(int(google_crc32c.value(data)))


def _mask(checksum: Checksum) -> Checksum:
    """Rotates and offsets a checksum, or an array of them, as TensorFlow's core/lib/hash/crc32c.h does."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF
